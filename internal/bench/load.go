package bench

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// conversation is one sender's line to one receiver.
type conversation struct {
	number   uint32
	id       string
	from, to *link
	out      outbox // guarded by from.mu
	thrown   thrown // guarded by from.mu, of a torrent

	heard atomic.Int64 // of a group: by how many members, all messages together

	// The receiving side belongs to the reader of link to.
	nextSeq   uint32
	lastIndex int64
	lastN     int64
}

// load is a set of users, their links and conversations, and what they have
// seen. Its goroutines are a reader for each link and one keeper; close waits
// for them.
type load struct {
	counts
	texts    *textPool
	began    time.Time
	links    []*link
	convs    []*conversation
	closed   bool // closed loop: an accepted message is followed by another
	pingNano int64
	group    *group   // nil: conversations of two
	torrent  *torrent // set: nothing that is refused is sent again

	stopping atomic.Bool  // offer nothing more
	from, to atomic.Int64 // the window, µs; latencies of messages meant in it count

	rest struct {
		sync.Mutex
		convs []*conversation // refused, all answers in, to be retried
	}

	ctx      context.Context // ends when the load fails or is closed
	cancel   context.CancelCauseFunc
	ending   atomic.Bool // links may close now
	watchers sync.WaitGroup
}

func newLoad(texts *textPool) *load {
	l := &load{texts: texts, began: time.Now()}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.from.Store(math.MaxInt64)
	l.to.Store(math.MaxInt64)
	return l
}

// now is the load's clock in nanoseconds.
func (l *load) now() int64 { return int64(time.Since(l.began)) }

// counted reports whether a message meant to be sent at (µs) is in the window.
func (l *load) counted(at int64) bool { return at >= l.from.Load() && at < l.to.Load() }

// fail ends the load with its first error.
func (l *load) fail(err error) {
	if !l.ending.Load() {
		l.cancel(err)
	}
}

// err returns why the load failed; nil while it has not.
func (l *load) err() error {
	if l.ctx.Err() == nil {
		return nil
	}
	return context.Cause(l.ctx)
}

// start runs the readers and the keeper.
func (l *load) start() {
	for _, k := range l.links {
		l.watchers.Go(k.read)
	}
	l.watchers.Go(l.keep)
}

// closedLoop keeps k messages of every conversation on the way until stop.
func (l *load) closedLoop(k int) {
	for _, c := range l.convs {
		for range k {
			l.offer(c, l.now()/1000)
		}
	}
}

// offer hands a message meant to be sent at (µs) to its sender.
func (l *load) offer(c *conversation, at int64) {
	l.offered.Add(1)
	c.from.mu.Lock()
	c.out.offer(at)
	c.from.pump(c)
	c.from.mu.Unlock()
}

// done reports whether every message offered was accepted and delivered to all.
func (l *load) done() bool {
	offered := l.offered.Load()
	return l.accepted.Load() == offered && l.delivered.Load() == offered*l.group.receivers()
}

// close drops the links and waits for every goroutine.
func (l *load) close() {
	l.ending.Store(true)
	l.cancel(context.Canceled)
	var closers sync.WaitGroup
	for _, k := range l.links {
		if k != nil { // the setting up may have ended early
			closers.Go(func() { _ = k.ws.CloseNow() })
		}
	}
	closers.Wait()
	l.watchers.Wait()
}

// keepEvery is how often the keeper looks for pings and retries that are due.
const keepEvery = 20 * time.Millisecond

// keep pings each link at its heartbeat, the links spread over the time, and
// retries what was refused once its time has come.
func (l *load) keep() {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	pinged := int64(0) // links pinged so far, counting every round
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-tick.C:
		}
		now := l.now()
		due := int64(float64(now) / float64(l.pingNano) * float64(len(l.links)))
		for ; pinged < due; pinged++ {
			l.links[int(pinged)%len(l.links)].ping(heartbeat)
		}
		l.retry(now)
	}
}

// retry writes again what was refused and may now be.
func (l *load) retry(now int64) {
	l.rest.Lock()
	resting := l.rest.convs
	l.rest.convs = nil
	l.rest.Unlock()
	for _, c := range resting {
		c.from.mu.Lock()
		if now >= c.out.retryAt {
			c.out.resting = false
			c.out.retry()
			c.from.pump(c)
		} else {
			l.lay(c)
		}
		c.from.mu.Unlock()
	}
}

// lay puts a refused conversation on the keeper's list; its link is locked.
func (l *load) lay(c *conversation) {
	c.out.resting = true
	l.rest.Lock()
	l.rest.convs = append(l.rest.convs, c)
	l.rest.Unlock()
}

// closedBy names the reason of a link's end.
func closedBy(err error) string {
	if code := websocket.CloseStatus(err); code != -1 {
		return code.String()
	}
	return err.Error()
}
