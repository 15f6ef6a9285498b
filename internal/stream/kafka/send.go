package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/merchantim/merchantim/internal/stream"
)

// send takes a lane's records to their leader, one request after the other, so
// that a repeated request never passes another of this process. It ends when
// there is nothing left; Append starts it again.
func (l *Log) send(ln *lane) {
	for {
		batch, life := l.take(ln)
		if len(batch) == 0 {
			return
		}
		begun := time.Now()
		base, err := l.deliver(ln.part, batch, life)
		if err != nil {
			l.undelivered(ln, life, err)
			continue
		}
		l.figures.requests.Add(1)
		l.figures.appended.Add(uint64(len(batch)))
		l.figures.lastRequest.Store(int64(time.Since(begun)))
		ln.part.raise(base + int64(len(batch)))
		l.acknowledge(batch, life)
	}
}

// deliver repeats a request until the brokers have all its records, or it makes
// no sense any more. It returns the offset of the first.
func (l *Log) deliver(p *part, batch []item, life uint64) (int64, error) {
	deadline := time.Now().Add(l.opt.DeliveryTimeout)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		base, err := l.produce(p, batch)
		if err == nil {
			return base, nil
		}
		switch {
		case errors.Is(err, kafkago.MessageSizeTooLarge):
			return 0, fmt.Errorf("%w: for the broker: %w", stream.ErrTooLarge, err)
		case final(err) || time.Now().After(deadline) || l.givenUp(life):
			return 0, fmt.Errorf("%w: %w", stream.ErrUnavailable, err)
		}
		l.log.Warn("records wait for Kafka", "topic", p.topic, "partition", p.partition, "records", len(batch), "err", err)
		if !sleep(l.life, pause) {
			return 0, fmt.Errorf("%w: %w", stream.ErrUnavailable, err)
		}
	}
}

// produce sends one request.
func (l *Log) produce(p *part, batch []item) (int64, error) {
	ctx, cancel := l.cluster.bounded(l.life)
	defer cancel()
	res, err := l.cluster.Produce(ctx, &kafkago.ProduceRequest{
		Topic: p.topic, Partition: int(p.partition), RequiredAcks: kafkago.RequireAll,
		Records: &batchReader{items: batch},
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return 0, fmt.Errorf("kafka: produce to %s/%d: %w", p.topic, p.partition, err)
	}
	return res.BaseOffset, nil
}

// batchReader shows items to the driver.
type batchReader struct {
	items  []item
	next   int
	header [1]protocol.Header
}

// ReadRecord implements protocol.RecordReader.
func (b *batchReader) ReadRecord() (*protocol.Record, error) {
	if b.next == len(b.items) {
		return nil, errEnd
	}
	it := &b.items[b.next]
	b.next++
	b.header[0] = it.id.header()
	return &protocol.Record{
		Key: protocol.NewBytes(it.key), Value: protocol.NewBytes(it.value), Headers: b.header[:],
	}, nil
}

func (l *Log) givenUp(life uint64) bool {
	l.intake.mu.Lock()
	defer l.intake.mu.Unlock()
	return l.intake.life != life
}

// undelivered fails everything under way: appends that came later may not pass
// those that were lost, whatever their partition.
func (l *Log) undelivered(ln *lane, life uint64, err error) {
	in := &l.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.life != life {
		return // another lane was first
	}
	l.log.Error("appends failed", "topic", ln.part.topic, "partition", ln.part.partition,
		"appends", len(in.unanswered), "err", err)
	in.giveUp(err, ln)
}

// answer is the goroutine that calls the dones of appends, in order.
func (l *Log) answer() {
	defer close(l.answered)
	in := &l.intake
	for {
		in.mu.Lock()
		for len(in.ready) == 0 && (in.over == nil || len(in.unanswered) > 0) && in.refuse == nil {
			in.told.Wait()
		}
		ready, refuse, suspect, over := in.ready, in.refuse, in.suspect, in.over
		in.ready = nil
		in.mu.Unlock()
		for _, p := range ready {
			if p.done != nil {
				p.done(p.err)
			}
		}
		switch {
		case len(ready) > 0:
		case over != nil:
			return
		case refuse != nil:
			l.trust(suspect)
		}
	}
}

// trust takes records again once the lane that failed has a leader that answers.
func (l *Log) trust(suspect *lane) {
	for pause := 20 * time.Millisecond; suspect != nil && l.Err() == nil; pause = min(2*pause, time.Second) {
		if l.reach(suspect.part) == nil || !sleep(l.closing, pause) {
			break
		}
	}
	in := &l.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	in.refuse, in.suspect = nil, nil
}

// reach asks the leader of a partition for anything.
func (l *Log) reach(p *part) error {
	ctx, cancel := context.WithTimeout(l.closing, min(2*time.Second, l.opt.RequestTimeout))
	defer cancel()
	res, err := l.cluster.ListOffsets(ctx, &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{
		p.topic: {{Partition: int(p.partition), Timestamp: kafkago.LastOffset}},
	}})
	if err != nil {
		return err
	}
	for _, o := range res.Topics[p.topic] {
		if o.Error != nil {
			return o.Error
		}
	}
	return nil
}
