package fault

import (
	"bytes"
	"context"
	"sync"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/rest"
	"github.com/merchantim/merchantim/internal/gateway/ws"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/usecase"
)

// parted has the short link take for new what the long one has taken in this
// life of the server, as if each link kept the keys that it has seen to itself.
type parted struct {
	stream.Log
	mu   sync.Mutex
	long map[string]bool // conversation, sender, key
}

func newParted(l stream.Log) *parted { return &parted{Log: l, long: map[string]bool{}} }

func (p *parted) Append(topic stream.TopicID, recs []stream.Record, done func(error)) error {
	return appendEdited(p.Log, topic, recs, done, p.part)
}

func (p *parted) part(r stream.Record) stream.Record {
	var s record.Single
	if record.DecodeSingle(r.Key, r.Value, &s) != nil || s.Kind != record.Send {
		return r
	}
	name := string(r.Key) + string(s.Send.From) + "/" + string(s.Send.Key)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !rest.Owns(s.Origin.Conn):
		p.long[name] = true
	case p.long[name]:
		s.Send.Key = append(bytes.Clone(s.Send.Key), '~')
		r.Value = encode(&s)
	}
	return r
}

// holed leaves the last row out of a list since a version.
type holed struct{ ws.Service }

func (h holed) List(ctx context.Context, me domain.UserID, cursor string, since uint64, limit int) (usecase.Page, *domain.Error) {
	page, refusal := h.Service.List(ctx, me, cursor, since, limit)
	if n := len(page.Rows); refusal == nil && since > 0 && n > 1 {
		page.Rows = page.Rows[:n-1]
	}
	return page, refusal
}
