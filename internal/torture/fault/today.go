package fault

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
)

// fanOutLate is how long fan-out waits for members to come and go.
const fanOutLate = 150 * time.Millisecond

// today fans messages out to who is a member at the time: it holds the records
// of the fan-out back for a moment, and then puts into each the members of its
// group as of the newest among them.
type today struct {
	stream.Log
	mu    sync.Mutex
	queue []held
	crews map[string]map[domain.UserID]bool // by conversation, as of the newest record written
	stop  chan struct{}
	done  sync.WaitGroup
}

func newToday(l stream.Log) *today {
	t := &today{Log: l, crews: map[string]map[domain.UserID]bool{}, stop: make(chan struct{})}
	t.done.Go(t.writeLater)
	return t
}

func (t *today) Append(topic stream.TopicID, recs []stream.Record, done func(error)) error {
	if topic != record.MixedTopic {
		return t.Log.Append(topic, recs, done)
	}
	h := held{done: done}
	for _, r := range recs {
		r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
		h.recs = append(h.recs, r)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = append(t.queue, h)
	return nil
}

func (t *today) writeLater() {
	tick := time.NewTicker(fanOutLate)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.write()
		case <-t.stop:
			t.write()
			return
		}
	}
}

func (t *today) write() {
	t.mu.Lock()
	queue := t.queue
	t.queue = nil
	t.mu.Unlock()
	for _, h := range queue {
		for _, r := range h.recs {
			t.count(r)
		}
	}
	for i, h := range queue {
		for j := range h.recs {
			t.address(&h.recs[j])
		}
		if t.Log.Append(record.MixedTopic, h.recs, h.done) != nil { // full, for now: they keep their order
			t.mu.Lock()
			t.queue = append(slices.Clone(queue[i:]), t.queue...)
			t.mu.Unlock()
			return
		}
	}
}

// count takes who comes and goes by a record.
func (t *today) count(r stream.Record) {
	var m record.Mixed
	if record.DecodeMixed(r.Value, &m) != nil || m.Kind != record.Extend || !m.Group {
		return
	}
	crew := t.crews[string(r.Key)]
	if crew == nil {
		crew = map[domain.UserID]bool{}
		t.crews[string(r.Key)] = crew
	}
	for _, c := range m.Concerned {
		if c.Part == record.Goes {
			delete(crew, c.User)
		} else {
			crew[c.User] = true
		}
	}
}

// address sends a message to the members of today.
func (t *today) address(r *stream.Record) {
	var m record.Mixed
	if record.DecodeMixed(r.Value, &m) != nil || m.Kind != record.Extend || !m.Group || m.Large || m.User == "" {
		return
	}
	m.Concerned = m.Concerned[:0]
	for user := range t.crews[string(r.Key)] {
		m.Concerned = append(m.Concerned, record.Concerned{User: user})
	}
	r.Value = record.AppendMixed(nil, &m)
}

func (t *today) Close() error {
	close(t.stop)
	t.done.Wait()
	return t.Log.Close()
}
