package kafka

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/merchantim/merchantim/internal/stream"
)

// intake is what was appended and is not yet acknowledged; mu guards it, its
// lanes and its appends.
type intake struct {
	mu    sync.Mutex
	told  *sync.Cond // the answerer sleeps on it
	lanes map[stream.TopicID][]*lane

	unanswered []*pending // in the order of the calls
	ready      []*pending // to be answered, in order
	bytes      int64
	life       uint64 // rises when everything under way is given up
	suspect    *lane  // whose records could not be kept: not trusted yet
	refuse     error  // why nothing can be taken now
	over       error  // why nothing will ever be taken again
}

// lane is one partition on its way to its leader.
type lane struct {
	part     *part
	queue    []item
	sending  bool
	sequence uint64
}

// item is one record.
type item struct {
	key, value []byte
	id         recordID
	of         *pending
}

func (it *item) size() int { return len(it.key) + len(it.value) + overhead }

// pending is one call of Append.
type pending struct {
	left int // records not yet acknowledged
	size int64
	done func(error)
	err  error
}

// part is what this process knows of a partition.
type part struct {
	topic     string
	id        stream.TopicID
	partition int32
	end       atomic.Int64 // one past the newest durable record known of
}

// raise notes that the partition reaches to end.
func (p *part) raise(end int64) {
	for {
		have := p.end.Load()
		if end <= have || p.end.CompareAndSwap(have, end) {
			return
		}
	}
}

// Append implements stream.Log. Answers come in the order of the calls, over
// all partitions.
func (l *Log) Append(topic stream.TopicID, recs []stream.Record, done func(error)) error {
	size, err := l.check(topic, recs)
	if err != nil {
		return err
	}
	p := &pending{left: len(recs), size: size, done: done}
	items := copyRecords(recs, p)
	in := &l.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := l.admit(size); err != nil {
		return err
	}
	in.bytes += size
	in.unanswered = append(in.unanswered, p)
	for i := range items {
		ln := in.lanes[topic][recs[i].Partition]
		ln.sequence++
		items[i].id = recordID{l.producer, ln.sequence}
		ln.queue = append(ln.queue, items[i])
		if !ln.sending {
			ln.sending = true
			l.senders.Go(func() { l.send(ln) })
		}
	}
	if p.left == 0 {
		in.advance()
	}
	return nil
}

// copyRecords keeps keys and values in one piece of memory.
func copyRecords(recs []stream.Record, p *pending) []item {
	n := 0
	for i := range recs {
		n += len(recs[i].Key) + len(recs[i].Value)
	}
	arena := make([]byte, 0, n)
	keep := func(b []byte) []byte {
		at := len(arena)
		arena = append(arena, b...)
		return arena[at:len(arena):len(arena)]
	}
	items := make([]item, len(recs))
	for i := range recs {
		items[i] = item{key: keep(recs[i].Key), value: keep(recs[i].Value), of: p}
	}
	return items
}

// check validates records and returns what they count for.
func (l *Log) check(topic stream.TopicID, recs []stream.Record) (int64, error) {
	n := l.Partitions(topic)
	if n == 0 {
		return 0, fmt.Errorf("kafka: append to topic %d, which is not declared", topic)
	}
	var size int64
	for i := range recs {
		r := &recs[i]
		if uint32(r.Partition) >= uint32(n) {
			return 0, fmt.Errorf("kafka: append to partition %d of %d of topic %d", r.Partition, n, topic)
		}
		if n := len(r.Key) + len(r.Value); n > l.opt.MaxRecordBytes {
			return 0, fmt.Errorf("%w: %d bytes, at most %d", stream.ErrTooLarge, n, l.opt.MaxRecordBytes)
		}
		size += int64(len(r.Key) + len(r.Value) + overhead)
	}
	if len(recs) > 1 && size > l.opt.MaxPendingBytes {
		return 0, fmt.Errorf("%w: %d bytes in one call, at most %d", stream.ErrTooLarge, size, l.opt.MaxPendingBytes)
	}
	return size, nil
}

// admit says whether size more bytes can be taken; mu is held. One record is
// always taken if there is nothing else.
func (l *Log) admit(size int64) error {
	in := &l.intake
	switch {
	case in.over != nil:
		return in.over
	case in.refuse != nil:
		return in.refuse
	case in.bytes > 0 && in.bytes+size > l.opt.MaxPendingBytes:
		return fmt.Errorf("%w: %d bytes wait for Kafka", stream.ErrOverloaded, in.bytes)
	}
	return nil
}

// take hands a lane's sender what fits into one request; nothing: it must end.
func (l *Log) take(ln *lane) (batch []item, life uint64) {
	in := &l.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	n, bytes := 0, 0
	for n < len(ln.queue) {
		bytes += ln.queue[n].size()
		if n > 0 && bytes > l.opt.BatchBytes {
			break
		}
		n++
	}
	if n == 0 {
		ln.queue, ln.sending = nil, false
		return nil, in.life
	}
	batch = ln.queue[:n:n]
	ln.queue = ln.queue[n:]
	return batch, in.life
}

// acknowledge notes that a batch is durable.
func (l *Log) acknowledge(batch []item, life uint64) {
	in := &l.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.life != life {
		return // given up meanwhile: its callers were told that it may not be kept
	}
	for i := range batch {
		batch[i].of.left--
	}
	in.advance()
}

// advance lets the answers go of all appends before the first that is not whole.
func (in *intake) advance() {
	n := 0
	for n < len(in.unanswered) && in.unanswered[n].left == 0 {
		in.bytes -= in.unanswered[n].size
		n++
	}
	if n == 0 {
		return
	}
	in.ready = append(in.ready, in.unanswered[:n]...)
	clear(in.unanswered[:n])
	in.unanswered = in.unanswered[n:]
	in.told.Broadcast()
}

// giveUp answers everything unanswered with err, in order, and takes nothing
// until that is done and suspect (nil: nobody) can be reached again: what is
// appended next can then not pass what was lost.
func (in *intake) giveUp(err error, suspect *lane) {
	in.life++
	in.refuse, in.suspect = err, suspect
	for _, lanes := range in.lanes {
		for _, ln := range lanes {
			ln.queue = nil
		}
	}
	for _, p := range in.unanswered {
		p.err = err
		in.bytes -= p.size
	}
	in.ready = append(in.ready, in.unanswered...)
	in.unanswered = nil
	in.told.Broadcast()
}
