// Package kafka is the engine of the stream port for the cluster profile: a
// partition is a partition of a topic of Apache Kafka, a group is a consumer
// group.
//
// What it promises beyond the port. Appends are acknowledged by all replicas in
// sync, and answered in the order of the calls, so that whoever notes progress
// by the newest answer is right. If one cannot be kept, all that are unanswered
// fail with it, and nothing is taken before everyone was told. Commits trail by
// the loss window. A topic that was deleted and made again, or has lost what
// was applied, starts a new incarnation (era.go); a process that sees it happen
// fails for good, and begins anew. Records leave Kafka only after every declared
// group has committed them.
//
// What it refuses. It takes no copy of a record out: a produce request that was
// repeated may leave two, and both are delivered, as the port allows (they are
// counted, see Repeats). It does not hand records over early. It moves no
// partition by its own choice; Kafka's coordinator does.
//
// Who owns what: Append fills lanes, one a partition; a lane's sender, started
// on demand, empties it; one goroutine answers; one watches the topics. A
// partition in the hands of an owner has one goroutine that fetches, a
// generation of a group one that commits. Close waits for all of them.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
)

// fetchWait is how long a broker holds a request for which it has nothing.
const fetchWait = 500 * time.Millisecond

// errEnd is what a reader of records says behind the last, as it is.
var errEnd = io.EOF

// Log is an open log on Kafka. It implements stream.Log.
type Log struct {
	opt      Options
	log      *slog.Logger
	cluster  *cluster
	producer uint64
	sizes    [256]int32 // partitions, by topic

	topics map[stream.TopicID]*topic
	groups map[string]*group

	intake    intake
	senders   sync.WaitGroup
	answered  chan struct{} // the answerer has ended
	consumers consumers
	watchers  sync.WaitGroup
	look      chan struct{} // to the watcher: now

	life    context.Context // of requests; ends when nothing is left to do
	end     context.CancelFunc
	closing context.Context // ends when Close begins, or the log fails
	stop    context.CancelFunc

	failed  chan struct{}
	failure atomic.Pointer[error]
	figures figures
	once    sync.Once
	closed  error
}

var _ stream.Log = (*Log)(nil)

type topic struct {
	stream.Topic
	name  string // in Kafka
	uid   topicID
	era   timeline
	parts []*part
}

type figures struct {
	requests    atomic.Uint64
	appended    atomic.Uint64
	lastRequest atomic.Int64 // ns
	repeats     atomic.Uint64
	rebalances  atomic.Uint64
}

// Open connects to Kafka. The topics must be there (Migrate).
func Open(ctx context.Context, opt Options) (*Log, error) {
	if err := opt.setDefaults(); err != nil {
		return nil, err
	}
	l := &Log{
		opt: opt, log: opt.Logger, producer: newProducer(), answered: make(chan struct{}),
		topics: map[stream.TopicID]*topic{}, groups: map[string]*group{}, failed: make(chan struct{}), look: make(chan struct{}, 1),
	}
	l.life, l.end = context.WithCancel(context.Background())
	l.closing, l.stop = context.WithCancel(l.life)
	l.intake.told = sync.NewCond(&l.intake.mu)
	var err error
	if l.cluster, err = newCluster(l.life, &l.opt); err != nil {
		l.end()
		return nil, err
	}
	if err := l.load(ctx); err != nil {
		l.stop()
		l.end()
		l.cluster.close()
		return nil, err
	}
	go l.answer() // Close waits for answered
	l.watchers.Go(l.watch)
	return l, nil
}

// Partitions implements stream.Log; 0 for a topic that is not declared.
func (l *Log) Partitions(id stream.TopicID) int32 { return l.sizes[id] }

// Incarnation is the one that records appended to a topic now belong to.
func (l *Log) Incarnation(id stream.TopicID) uint32 {
	if t := l.topics[id]; t != nil {
		return t.era.newest()
	}
	return 0
}

// Stats implements stream.Log. DiskBytes is 0: the disks are the brokers'. A
// sync is a request that all replicas have acknowledged.
func (l *Log) Stats() stream.Stats {
	l.intake.mu.Lock()
	pending := l.intake.bytes
	l.intake.mu.Unlock()
	return stream.Stats{
		PendingBytes: pending,
		Syncs:        l.figures.requests.Load(),
		Appended:     l.figures.appended.Load(),
		Lag:          l.lag(),
		LastSync:     time.Duration(l.figures.lastRequest.Load()),
	}
}

// Repeats counts delivered records that are copies of earlier ones: a request
// whose answer was lost was sent again.
func (l *Log) Repeats() uint64 { return l.figures.repeats.Load() }

// Rebalances counts the generations of its groups that this process took part in.
func (l *Log) Rebalances() uint64 { return l.figures.rebalances.Load() }

// Failed implements stream.Log.
func (l *Log) Failed() <-chan struct{} { return l.failed }

// Err implements stream.Log; nil while the log works.
func (l *Log) Err() error {
	if e := l.failure.Load(); e != nil {
		return *e
	}
	return nil
}

// fail makes the log useless for good.
func (l *Log) fail(err error) {
	err = fmt.Errorf("%w: the log on Kafka failed for good: %w", stream.ErrUnavailable, err)
	if !l.failure.CompareAndSwap(nil, &err) {
		return
	}
	l.log.Error("the log on Kafka failed", "err", err)
	in := &l.intake
	in.mu.Lock()
	in.over = err
	in.giveUp(err, nil)
	in.mu.Unlock()
	close(l.failed)
	l.stop()
	l.consumers.stop(err)
}

// Close implements stream.Log. Owners of partitions are asked to give up and
// waited for, so it must not be called by one. Records that Kafka does not take
// within the delivery time-out are answered with an error.
func (l *Log) Close() error {
	l.once.Do(func() {
		in := &l.intake
		in.mu.Lock()
		if in.over == nil {
			in.over = stream.ErrClosed
		}
		in.told.Broadcast()
		in.mu.Unlock()
		l.stop()
		l.consumers.stop(stream.ErrClosed)
		l.consumers.wait()
		l.watchers.Wait()
		<-l.answered
		l.end()
		l.senders.Wait()
		l.cluster.close()
		l.closed = l.Err()
	})
	return l.closed
}

// Rewind makes every owner of this process begin again at what its group has
// committed, which trails by the loss window: for when the store has failed
// over and may have lost its newest writes. Heads make the repetition harmless.
func (l *Log) Rewind() { l.consumers.rewind() }

var errRewind = errors.New("kafka: the store may have lost writes; going back")
