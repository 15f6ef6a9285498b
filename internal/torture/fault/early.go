package fault

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
)

// holdBack is how long a fan-out record waits before it is appended at all.
const holdBack = 60 * time.Millisecond

// early hands fan-out records to their consumers at once and appends them to
// the log later. All of the mixed topic passes through here, so the offsets
// that they will get are known: those after the end that the first consumer
// found, at which moment nothing was on its way.
//
// It keeps every such record of its life in memory: the lives of a torture
// server are short.
type early struct {
	stream.Log
	mu     sync.Mutex
	feeds  map[int32]*feed
	queue  []held
	early  bool          // a consumer came: from now on appends wait
	direct int           // appends from before, not durable yet
	inc    uint32        // incarnation, 0 until a record told it
	change chan struct{} // closed and made anew at every change
	stop   chan struct{}
	done   sync.WaitGroup
}

// feed is what one mixed partition was given since the start.
type feed struct {
	base    int64 // offset of the first; -1 until a consumer was assigned
	recs    []stream.Record
	written int // of recs, appended to the log and durable
}

type held struct {
	recs []stream.Record
	done func(error)
}

func newEarly(l stream.Log) *early {
	e := &early{Log: l, feeds: map[int32]*feed{}, change: make(chan struct{}), stop: make(chan struct{})}
	for p := range l.Partitions(record.MixedTopic) {
		e.feeds[p] = &feed{base: -1}
	}
	e.done.Go(e.writeLater)
	return e
}

// changed wakes all that wait; mu is held.
func (e *early) changed() {
	close(e.change)
	e.change = make(chan struct{})
}

func (e *early) Append(topic stream.TopicID, recs []stream.Record, done func(error)) error {
	if topic != record.MixedTopic {
		return e.Log.Append(topic, recs, done)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.early {
		return e.straight(recs, done)
	}
	h := held{done: done}
	for _, r := range recs {
		r.Key, r.Value = slices.Clone(r.Key), slices.Clone(r.Value)
		h.recs = append(h.recs, r)
		f := e.feeds[r.Partition]
		f.recs = append(f.recs, r)
	}
	e.queue = append(e.queue, h)
	e.changed()
	return nil
}

// straight appends before there is a consumer; mu is held.
func (e *early) straight(recs []stream.Record, done func(error)) error {
	err := e.Log.Append(record.MixedTopic, recs, func(err error) {
		e.mu.Lock()
		e.direct--
		e.changed()
		e.mu.Unlock()
		if done != nil {
			done(err)
		}
	})
	if err == nil {
		e.direct++
	}
	return err
}

// begin makes appends wait, and itself waits for those before.
func (e *early) begin(ctx context.Context) error {
	for {
		e.mu.Lock()
		e.early = true
		direct, change := e.direct, e.change
		e.mu.Unlock()
		if direct == 0 {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// writeLater appends what was held back, in its order, once every partition's
// base is known.
func (e *early) writeLater() {
	tick := time.NewTicker(holdBack)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.write()
		case <-e.stop:
			e.write()
			return
		}
	}
}

func (e *early) write() {
	e.mu.Lock()
	queue := e.queue
	for _, f := range e.feeds {
		if f.base < 0 {
			queue = nil
		}
	}
	if queue != nil {
		e.queue = nil
	}
	e.mu.Unlock()
	for i, h := range queue {
		err := e.Log.Append(record.MixedTopic, h.recs, func(err error) {
			e.mu.Lock()
			for _, r := range h.recs {
				e.feeds[r.Partition].written++
			}
			e.mu.Unlock()
			if h.done != nil {
				h.done(err)
			}
		})
		if err != nil { // full, for now: they keep their order
			e.mu.Lock()
			e.queue = append(slices.Clone(queue[i:]), e.queue...)
			e.mu.Unlock()
			return
		}
	}
}

func (e *early) Consume(ctx context.Context, group string, own func(context.Context, stream.Partition) error) error {
	mixed := group == pipeline.MixedGroup || group == pipeline.ListGroup
	if mixed {
		if err := e.begin(ctx); err != nil {
			return err
		}
	}
	return e.Log.Consume(ctx, group, func(ctx context.Context, p stream.Partition) error {
		if !mixed {
			return own(ctx, tellingPartition{p, e})
		}
		e.mu.Lock()
		if f := e.feeds[p.ID()]; f.base < 0 {
			f.base = p.End()
		}
		e.mu.Unlock()
		return own(ctx, &earlyPartition{Partition: p, e: e, f: e.feeds[p.ID()], next: p.Start()})
	})
}

func (e *early) Close() error {
	close(e.stop)
	e.done.Wait()
	return e.Log.Close()
}

// tell notes the incarnation of the log.
func (e *early) tell(recs []stream.Record) {
	if len(recs) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inc == 0 {
		e.inc = recs[0].Position.Incarnation
		e.changed()
	}
}

// tellingPartition learns the incarnation from the records of the other topic.
type tellingPartition struct {
	stream.Partition
	e *early
}

func (p tellingPartition) Next(ctx context.Context, buf []stream.Record, max int) ([]stream.Record, error) {
	out, err := p.Partition.Next(ctx, buf, max)
	if err == nil {
		p.e.tell(out[len(buf):])
	}
	return out, err
}

// earlyPartition gives what the log had at the start, then what was handed in since.
type earlyPartition struct {
	stream.Partition
	e    *early
	f    *feed
	next int64
}

func (p *earlyPartition) Next(ctx context.Context, buf []stream.Record, max int) ([]stream.Record, error) {
	if stored := p.f.base - p.next; stored > 0 {
		out, err := p.Partition.Next(ctx, buf, int(min(int64(max), stored)))
		if err == nil {
			p.e.tell(out[len(buf):])
			p.next += int64(len(out) - len(buf))
		}
		return out, err
	}
	for {
		p.e.mu.Lock()
		fresh := p.f.recs[p.next-p.f.base:]
		inc, change := p.e.inc, p.e.change
		p.e.mu.Unlock()
		if inc != 0 && len(fresh) > 0 {
			for _, r := range fresh[:min(max, len(fresh))] {
				r.Position = stream.Position{Incarnation: inc, Offset: p.next}
				buf = append(buf, r)
				p.next++
			}
			return buf, nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return buf, ctx.Err()
		}
	}
}

// Commit passes on what the log has already.
func (p *earlyPartition) Commit(next int64) error {
	p.e.mu.Lock()
	next = min(next, p.f.base+int64(p.f.written))
	p.e.mu.Unlock()
	return p.Partition.Commit(next)
}
