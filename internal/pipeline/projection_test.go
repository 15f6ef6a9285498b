package pipeline_test

import (
	"encoding/json"
	"testing"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
)

// projection is what follows from a group's chain, read as a client reads it.
type projection struct {
	members map[domain.UserID]uint64 // with the entry that brought them
	read    bool                     // members follow the head
	inboxes map[domain.UserID][]uint64
}

func project(t testing.TB, chain []chat.Message) *projection {
	t.Helper()
	p := &projection{members: make(map[domain.UserID]uint64), inboxes: make(map[domain.UserID][]uint64)}
	n := uint64(0)
	for i, m := range chain {
		if m.Kind == chat.Text {
			n++
		}
		if m.Index != uint64(i+1) || m.Pre != uint64(i) || m.N != n {
			t.Errorf("entry %d of the chain: %+v, n should be %d", i+1, m.Entry, n)
		}
		p.take(t, m)
	}
	return p
}

func (p *projection) take(t testing.TB, m chat.Message) {
	var body struct {
		Type, Mode              string
		Members, Added, Removed []domain.UserID
	}
	if m.Kind != chat.Text {
		must(t, json.Unmarshal(m.Body, &body))
	} else if _, member := p.members[m.From]; !member {
		t.Errorf("entry %d is by %s, who is no member", m.Index, m.From)
	}
	concerned := make(map[domain.UserID]bool)
	for _, u := range append(body.Members, body.Added...) {
		p.members[u], concerned[u] = m.Index, true
	}
	for _, u := range body.Removed {
		delete(p.members, u)
		concerned[u] = true
	}
	if !p.read || body.Type == "diffusion" {
		for u := range p.members {
			concerned[u] = true
		}
	}
	if body.Type == "diffusion" {
		p.read = body.Mode == "read"
	}
	for u := range concerned {
		p.inboxes[u] = append(p.inboxes[u], m.Index)
	}
}
