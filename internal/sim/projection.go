package sim

import (
	"encoding/json"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
)

// projection is a chain as seen in this life, and what follows from it, read as
// a client reads it.
type projection struct {
	chain   []chat.Message
	keys    map[string]uint64 // sender and key → index
	members map[domain.UserID]uint64
	read    bool                       // members follow the head
	ever    bool                       // they did once
	due     map[domain.UserID][]uint64 // entries of the inboxes
	joinN   map[domain.UserID]uint64
	voids   int
}

func newProjection(direct []domain.UserID) *projection {
	p := &projection{
		keys: make(map[string]uint64), members: make(map[domain.UserID]uint64),
		due: make(map[domain.UserID][]uint64), joinN: make(map[domain.UserID]uint64),
	}
	for _, u := range direct {
		p.members[u] = 0
	}
	return p
}

// n is how many entries count up to an index.
func (p *projection) n(index uint64) uint64 {
	if index == 0 || index > uint64(len(p.chain)) {
		return 0
	}
	return p.chain[index-1].N
}

// ownN is n of the newest message of a user up to an index.
func (p *projection) ownN(u domain.UserID, index uint64) (n uint64) {
	for i := range p.chain {
		if m := &p.chain[i]; m.Index <= index && m.From == u && m.Kind == chat.Text {
			n = m.N
		}
	}
	return n
}

// take adds the next entry of a chain.
func (w *world) take(conv domain.ConversationID, p *projection, m chat.Message) {
	last := uint64(len(p.chain))
	n, at := p.n(last), int64(0)
	if last > 0 {
		at = p.chain[last-1].At
	}
	if m.Kind == chat.Text {
		n++
	}
	if m.Index != last+1 || m.Pre != last || m.N != n || m.At < at {
		w.fail("chain: entry %d of %x: %+v, n should be %d", last+1, conv[:2], m.Entry, n)
	}
	switch m.Kind {
	case chat.Text:
		w.takeText(conv, p, &m)
	case chat.Void:
		p.voids++
	}
	if h := w.told[conv][m.Index]; h != nil && !h.agrees(&hint{entry: m.Entry, body: m.Body, hasBody: true}) {
		w.fail("chain: entry %d of %x was told of as %q %q and is %q %q", m.Index, conv[:2], h.entry.Key, h.body, m.Key, m.Body)
	}
	p.chain = append(p.chain, m)
	p.follow(w, &m)
}

func (w *world) takeText(conv domain.ConversationID, p *projection, m *chat.Message) {
	key := string(m.From) + " " + string(m.Key)
	if first, twice := p.keys[key]; twice {
		w.fail("chain: %s is entry %d and %d of %x", key, first, m.Index, conv[:2])
	}
	if _, member := p.members[m.From]; !member {
		w.fail("chain: entry %d of %x is by %s, who is no member", m.Index, conv[:2], m.From)
	}
	r := w.ids[m.ID]
	if r == nil || r.content.from != m.From || r.content.key != string(m.Key) || r.content.text != string(m.Body) || r.conv != conv {
		w.fail("chain: entry %d of %x, %q, was never sent", m.Index, conv[:2], m.Body)
		return
	}
	if c := r.content; c.after != "" {
		if _, ok := p.keys[string(c.from)+" "+c.after]; !ok {
			w.fail("chain: entry %d of %x came without its predecessor %s", m.Index, conv[:2], c.after)
		}
	}
	p.keys[key] = m.Index
}

// follow finds who must get an entry into his inbox.
func (p *projection) follow(w *world, m *chat.Message) {
	var body struct {
		Type, Mode              string
		Members, Added, Removed []domain.UserID
	}
	if m.Kind != chat.Text {
		if err := json.Unmarshal(m.Body, &body); err != nil {
			w.fail("chain: the body of entry %d: %v", m.Index, err)
		}
	}
	concerned := make(map[domain.UserID]bool)
	for _, u := range append(body.Members, body.Added...) {
		p.members[u], p.joinN[u], concerned[u] = m.Index, m.N, true
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
		p.ever = p.ever || p.read
	}
	for u := range concerned {
		p.due[u] = append(p.due[u], m.Index)
	}
}
