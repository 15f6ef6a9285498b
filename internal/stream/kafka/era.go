package kafka

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/merchantim/merchantim/internal/stream"
)

// An era is a stretch of a topic's life in which nothing was lost: what the
// port calls an incarnation. The topic "eras" keeps them as records, the newest
// last. It begins anew when Kafka's id of the topic changes (it was deleted and
// made again), or when the topic ends below what a store has applied or a group
// has committed (an unclean election).
//
// Several processes may find a loss at once: each writes what it makes of it,
// naming the era before; the first such record counts, the others are void.
type era struct {
	Topic  string  `json:"topic"`
	ID     topicID `json:"id"`
	Number uint32  `json:"number"`
	After  uint32  `json:"after"`
	// From is the offset at which the era begins, by partition.
	From []int64 `json:"from"`
}

// history is what the topic "eras" says.
type history struct {
	topics map[string][]era
	end    int64
}

// take adds a record, unless another came first.
func (h *history) take(e era) {
	all := h.topics[e.Topic]
	newest := uint32(0)
	if len(all) > 0 {
		newest = all[len(all)-1].Number
	}
	if e.After == newest && e.Number > newest {
		h.topics[e.Topic] = append(all, e)
	}
}

// timeline is the history of one topic as far as its records can still be read.
type timeline []era

func (h *history) timeline(topic string, id topicID) timeline {
	all := h.topics[topic]
	for i := len(all); i > 0; i-- {
		if all[i-1].ID != id {
			return all[i:]
		}
	}
	return all
}

func (t timeline) newest() uint32 { return t[len(t)-1].Number }

// at is the era of the record at offset.
func (t timeline) at(partition int32, offset int64) uint32 {
	for i := len(t) - 1; i > 0; i-- {
		if t[i].From[partition] <= offset {
			return t[i].Number
		}
	}
	return t[0].Number
}

// carry brings an offset that was committed in an era over to the newest one:
// what a later era replaced was never seen. ok is false for eras of which there
// are no records any more.
func (t timeline) carry(partition int32, number uint32, offset int64) (_ int64, ok bool) {
	for _, e := range t {
		if e.Number > number && ok {
			offset = min(offset, e.From[partition])
		}
		ok = ok || e.Number == number
	}
	return offset, ok
}

// readHistory reads the topic "eras" to its end.
func (c *cluster) readHistory(ctx context.Context) (*history, error) {
	topic := c.opt.Prefix + eras
	end, err := c.bounds(ctx, topic, 1, kafkago.LastOffset)
	if err != nil {
		return nil, err
	}
	h := &history{topics: map[string][]era{}, end: end[0]}
	for at := int64(0); at < h.end; {
		recs, err := c.fetch(ctx, topic, 0, at)
		if err != nil {
			return nil, err
		}
		for _, r := range recs.all {
			var e era
			if err := json.Unmarshal(r.Value, &e); err != nil {
				return nil, fmt.Errorf("%w: %s, record %d: %w", stream.ErrCorrupt, topic, r.Position.Offset, err)
			}
			h.take(e)
			at = r.Position.Offset + 1
		}
	}
	return h, nil
}

// write appends an era.
func (c *cluster) write(ctx context.Context, e era) error {
	value, err := json.Marshal(e)
	if err != nil {
		return err
	}
	res, err := c.Produce(ctx, &kafkago.ProduceRequest{
		Topic: c.opt.Prefix + eras, RequiredAcks: kafkago.RequireAll,
		Records: kafkago.NewRecordReader(kafkago.Record{Key: kafkago.NewBytes([]byte(e.Topic)), Value: kafkago.NewBytes(value)}),
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return fmt.Errorf("kafka: write an era of %s: %w", e.Topic, err)
	}
	return nil
}

// evidence is what is known of a topic besides its history.
type evidence struct {
	id      topicID
	ends    []int64
	applied map[int32]stream.Position // newest position applied, by partition
	// committed is one past the newest position that a group has taken.
	committed map[int32]stream.Position
}

// next tells whether the topic needs a new era, and which.
func (h *history) next(topic string, ev evidence) (e era, needed bool) {
	all := h.topics[topic]
	e = era{Topic: topic, ID: ev.id, From: make([]int64, len(ev.ends))}
	if len(all) > 0 {
		e.After = all[len(all)-1].Number
	}
	beyond := false // in an era that the history does not know
	lost := false
	look := func(at stream.Position, end int64) {
		if at.Incarnation > max(e.After, e.Number) {
			e.Number, beyond = at.Incarnation, true
		}
		lost = lost || at.Incarnation == e.After && at.Offset > end
	}
	for p, at := range ev.applied {
		if p >= 0 && int(p) < len(ev.ends) {
			look(at, ev.ends[p]-1)
		}
	}
	for p, at := range ev.committed {
		look(at, ev.ends[p])
	}
	e.Number = max(e.Number, e.After) + 1
	switch {
	case len(all) == 0 || all[len(all)-1].ID != ev.id:
		return e, true // from the beginning
	case lost || beyond:
		e.From = slices.Clone(ev.ends)
		return e, true
	}
	return era{}, false
}

// fetched is what one request brought.
type fetched struct {
	all   []stream.Record
	ids   []recordID
	end   int64 // of the durable records
	next  int64 // one past the last record, also of those left out
	bytes int
}

// fetch reads records from an offset on; it waits a while for the first. Keys
// and values are copied out of the driver's buffers.
func (c *cluster) fetch(ctx context.Context, topic string, partition int32, from int64) (*fetched, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	res, err := c.Fetch(ctx, &kafkago.FetchRequest{
		Topic: topic, Partition: int(partition), Offset: from,
		MinBytes: 1, MaxBytes: int64(c.opt.FetchBytes), MaxWait: min(fetchWait, c.opt.RequestTimeout/2),
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: fetch %s/%d at %d: %w", topic, partition, from, err)
	}
	f := &fetched{end: res.HighWatermark, next: from}
	for {
		r, err := res.Records.ReadRecord()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("kafka: fetch %s/%d at %d: %w", topic, partition, from, err)
		}
		if err := f.add(partition, from, r); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *fetched) add(partition int32, from int64, r *protocol.Record) error {
	key, err := readAll(r.Key)
	if err != nil {
		return err
	}
	value, err := readAll(r.Value)
	if err != nil {
		return err
	}
	if r.Offset < from || r.Offset >= f.end {
		return nil // a batch comes whole, from before what was asked for
	}
	f.all = append(f.all, stream.Record{
		Partition: partition, Position: stream.Position{Offset: r.Offset}, Key: key, Value: value,
	})
	f.ids = append(f.ids, idOf(r.Headers))
	f.next = r.Offset + 1
	f.bytes += len(key) + len(value)
	return nil
}

func readAll(b protocol.Bytes) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	v, err := protocol.ReadAll(b)
	if e := b.Close(); err == nil {
		err = e
	}
	return v, err
}
