package store

import (
	"fmt"

	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/enc"
)

// A run is closed at either limit, so that reading one entry stays cheap.
const (
	maxRunEntries = 256
	maxRunBodies  = 64 << 10
)

// run is a stretch of consecutive entries of a chain, encoded as it will be
// stored. The buffers only grow, so views of them stay valid.
type run struct {
	first  uint64
	metas  []byte
	bodies []byte
	ends   []span // where each entry ends
}

type span struct{ meta, body uint32 }

func newRun(first uint64) *run {
	return &run{first: first, metas: []byte{layout}, bodies: []byte{layout}}
}

// end is one past the index of the last entry.
func (r *run) end() uint64 { return r.first + uint64(len(r.ends)) }

// takes reports whether the entry at index can be added.
func (r *run) takes(index uint64) bool {
	return index == r.first+uint64(len(r.ends)) && len(r.ends) < maxRunEntries && len(r.bodies) < maxRunBodies
}

func (r *run) add(e *chat.Entry, body []byte) {
	r.metas = appendEntry(r.metas, e)
	r.bodies = enc.Bytes(r.bodies, body)
	r.ends = append(r.ends, span{uint32(len(r.metas)), uint32(len(r.bodies))})
}

// at reads the entry at index; false if it is not in this run.
func (r *run) at(index uint64, members []chat.Member) (chat.Message, bool) {
	if index < r.first || index >= r.first+uint64(len(r.ends)) {
		return chat.Message{}, false
	}
	i := index - r.first
	from := span{1, 1}
	if i > 0 {
		from = r.ends[i-1]
	}
	meta := enc.Read(r.metas[from.meta:r.ends[i].meta])
	body := enc.Read(r.bodies[from.body:r.ends[i].body])
	return chat.Message{Entry: readEntry(&meta, members), Body: body.Bytes()}, true
}

// decodeRun reads stored entries; bodies may be nil when only entries are wanted.
func decodeRun(metas, bodies []byte, members []chat.Member, fn func(chat.Message) bool) error {
	m, err := open(metas, "run")
	if err != nil {
		return err
	}
	var b enc.Reader
	if bodies != nil {
		if b, err = open(bodies, "bodies"); err != nil {
			return err
		}
	}
	for m.Rest() > 0 {
		msg := chat.Message{Entry: readEntry(&m, members)}
		if bodies != nil {
			msg.Body = b.Bytes()
		}
		if m.Err() != nil || b.Err() != nil {
			return fmt.Errorf("store: run: %w", enc.ErrMalformed)
		}
		if !fn(msg) {
			return nil
		}
	}
	return nil
}
