package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/merchantim/merchantim/internal/stream"
)

// reader is a partition in the hands of its owner. While the owner works on
// what it was handed, the next request is under way: that, and what it brought,
// is all that is kept.
type reader struct {
	log   *Log
	group *group
	part  *part
	id    int32

	start, end int64
	pos        int64 // of the next record to deliver
	have       []stream.Record
	next       chan *fetched // of the request under way; nil: none
	repeats    repeats

	life     context.Context // of requests
	stop     context.CancelFunc
	fetching sync.WaitGroup

	trail *trail
	told  commit // what Kafka has; the committer's
}

func (l *Log) newReader(g *group, partition int32, start, end int64, told commit) *reader {
	r := &reader{
		log: l, group: g, part: g.topic.parts[partition], id: partition,
		start: start, end: end, pos: start, repeats: repeats{},
		trail: newTrail(start, l.opt.LossWindow), told: told,
	}
	r.life, r.stop = context.WithCancel(l.life)
	r.part.raise(end)
	g.held[partition].Store(true)
	g.handed[partition].Store(start)
	return r
}

// leave waits for the request under way.
func (r *reader) leave() {
	r.stop()
	r.fetching.Wait()
}

// ID implements stream.Partition.
func (r *reader) ID() int32 { return r.id }

// Start implements stream.Partition.
func (r *reader) Start() int64 { return r.start }

// End implements stream.Partition.
func (r *reader) End() int64 { return r.end }

// Commit implements stream.Partition. Beyond the durable end it is refused.
func (r *reader) Commit(next int64) error {
	if end := r.part.end.Load(); next > end {
		return fmt.Errorf("kafka: group %s commits %d in partition %d, which ends at %d", r.group.name, next, r.id, end)
	}
	r.trail.note(time.Now(), next)
	return nil
}

// progress is what may be committed now.
func (r *reader) progress() commit {
	return commit{
		offset:      r.trail.ripe(time.Now()),
		incarnation: r.group.topic.era.newest(),
		handed:      r.group.handed[r.id].Load(),
	}
}

// Next implements stream.Partition. It returns the cause for which ctx ended;
// the request under way goes on for the next call.
func (r *reader) Next(ctx context.Context, buf []stream.Record, maxRecords int) ([]stream.Record, error) {
	if maxRecords < 1 {
		return buf, fmt.Errorf("kafka: next with room for %d records", maxRecords)
	}
	for len(r.have) == 0 {
		if ctx.Err() != nil {
			return buf, context.Cause(ctx)
		}
		r.ask()
		select {
		case f := <-r.next:
			r.next = nil
			if f == nil { // told to stop, or the log has failed
				<-ctx.Done()
				return buf, context.Cause(ctx)
			}
			r.take(f)
		case <-ctx.Done():
			return buf, context.Cause(ctx)
		}
	}
	n := min(maxRecords, len(r.have))
	buf = append(buf, r.have[:n]...)
	r.have = r.have[n:]
	r.pos = buf[len(buf)-1].Position.Offset + 1
	r.group.handed[r.id].Store(r.pos)
	if len(r.have) == 0 {
		r.have = nil
		r.ask()
	}
	return buf, nil
}

// take keeps what a request brought.
func (r *reader) take(f *fetched) {
	for i := range f.all {
		at := &f.all[i].Position
		at.Incarnation = r.group.topic.era.at(r.id, at.Offset)
		if r.repeats.seen(f.ids[i]) {
			r.log.figures.repeats.Add(1)
		}
	}
	r.have = f.all
}

// ask begins a request, unless one is under way.
func (r *reader) ask() {
	if r.next != nil {
		return
	}
	answer, from := make(chan *fetched, 1), r.pos
	r.next = answer
	r.fetching.Go(func() { answer <- r.insist(from) })
}

// insist repeats a request until it brings records; nil: it is told to stop.
func (r *reader) insist(from int64) *fetched {
	var outside time.Time // since when the broker has no such offset
	for pause := 10 * time.Millisecond; r.life.Err() == nil; {
		f, err := r.log.cluster.fetch(r.life, r.part.topic, r.id, from)
		switch {
		case r.life.Err() != nil:
			return nil
		case err == nil && len(f.all) > 0:
			r.part.raise(f.end)
			return f
		case err == nil:
			r.part.raise(f.end)
			pause = 10 * time.Millisecond
			continue
		case errors.Is(err, kafkago.OffsetOutOfRange):
			r.log.lookNow()
			if outside.IsZero() {
				outside = time.Now()
			}
			if time.Since(outside) > lossGrace {
				r.log.fail(fmt.Errorf("%w: %w", stream.ErrCorrupt, err))
				return nil
			}
		default:
			outside = time.Time{}
		}
		r.log.log.Warn("fetch; trying again", "group", r.group.id, "err", err)
		sleep(r.life, pause)
		pause = min(2*pause, time.Second)
	}
	return nil
}
