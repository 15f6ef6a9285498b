package fault

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
)

// hasty commits every record as soon as it was handed out and is durable,
// whether its effects are kept or not.
type hasty struct{ stream.Log }

func (h *hasty) Consume(ctx context.Context, group string, own func(context.Context, stream.Partition) error) error {
	return h.Log.Consume(ctx, group, func(ctx context.Context, p stream.Partition) error {
		return own(ctx, &hastyPartition{Partition: p, log: h.Log})
	})
}

type hastyPartition struct {
	stream.Partition
	log     stream.Log
	durable atomic.Int64 // one past the newest record handed out that is durable
}

func (p *hastyPartition) Next(ctx context.Context, buf []stream.Record, max int) ([]stream.Record, error) {
	if next := p.durable.Load(); next > 0 {
		if err := p.Commit(next); err != nil {
			return buf, err
		}
	}
	out, err := p.Partition.Next(ctx, buf, max)
	if err != nil || len(out) == 0 {
		return out, err
	}
	next := out[len(out)-1].Position.Offset + 1
	_ = p.log.Append(record.SingleTopic, nil, func(err error) { // refused: the next call commits
		if err == nil {
			p.durable.Store(next)
		}
	})
	return out, nil
}

// leaky leaves out one in a thousand fan-out records.
type leaky struct {
	stream.Log
	mu   sync.Mutex
	seen int
}

func (l *leaky) Append(topic stream.TopicID, recs []stream.Record, done func(error)) error {
	if topic != record.MixedTopic {
		return l.Log.Append(topic, recs, done)
	}
	kept := make([]stream.Record, 0, len(recs))
	l.mu.Lock()
	for _, r := range recs {
		var m record.Mixed
		if record.DecodeMixed(r.Value, &m) == nil && m.Kind == record.Extend {
			if l.seen++; l.seen%1000 == 0 {
				continue
			}
		}
		kept = append(kept, r)
	}
	l.mu.Unlock()
	return l.Log.Append(topic, kept, done) // none kept: done comes with what was appended before
}

// rekeyer gives a message another key if its own was appended before in this
// life of the server, as if no record of it had been kept.
type rekeyer struct {
	stream.Log
	mu   sync.Mutex
	seen map[string]int // conversation, sender, key
}

func newRekeyer(l stream.Log) *rekeyer { return &rekeyer{Log: l, seen: map[string]int{}} }

func (k *rekeyer) Append(topic stream.TopicID, recs []stream.Record, done func(error)) error {
	return appendEdited(k.Log, topic, recs, done, k.rekey)
}

// appendEdited appends what edit makes of the records of single; those of other
// topics stay as they are.
func appendEdited(l stream.Log, topic stream.TopicID, recs []stream.Record, done func(error), edit func(stream.Record) stream.Record) error {
	if topic != record.SingleTopic {
		return l.Append(topic, recs, done)
	}
	out := make([]stream.Record, len(recs))
	for i, r := range recs {
		out[i] = edit(r)
	}
	return l.Append(topic, out, done)
}

func (k *rekeyer) rekey(r stream.Record) stream.Record {
	var s record.Single
	if record.DecodeSingle(r.Key, r.Value, &s) != nil || s.Kind != record.Send {
		return r
	}
	name := string(r.Key) + string(s.Send.From) + "/" + string(s.Send.Key)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen[name]++; k.seen[name] > 1 {
		s.Send.Key = append(bytes.Clone(s.Send.Key), '~', byte('0'+k.seen[name]%10))
		r.Value = encode(&s)
	}
	return r
}

// shuffler swaps neighbours of one conversation that arrive in one call, and
// takes away what they say of their predecessors.
type shuffler struct{ stream.Log }

func (s *shuffler) Append(topic stream.TopicID, recs []stream.Record, done func(error)) error {
	if topic != record.SingleTopic {
		return s.Log.Append(topic, recs, done)
	}
	out := make([]stream.Record, len(recs))
	for i, r := range recs {
		var x record.Single
		if out[i] = r; record.DecodeSingle(r.Key, r.Value, &x) == nil && x.Kind == record.Send && knownBefore(recs[:i], &x.Send) {
			x.Send.After = nil
			out[i].Value = encode(&x)
			if prev := i - 1; bytes.Equal(out[prev].Key, r.Key) {
				out[prev], out[i] = out[i], out[prev]
			}
		}
	}
	return s.Log.Append(topic, out, done)
}

// knownBefore reports whether the predecessor of m is the last of recs.
func knownBefore(recs []stream.Record, m *chat.Send) bool {
	if len(recs) == 0 || len(m.After) == 0 {
		return false
	}
	last := recs[len(recs)-1]
	var s record.Single
	return record.DecodeSingle(last.Key, last.Value, &s) == nil && s.Kind == record.Send &&
		s.Send.Conversation == m.Conversation && bytes.Equal(s.Send.Key, m.After)
}

func encode(s *record.Single) []byte { return record.AppendSend(nil, s.Origin, &s.Send) }
