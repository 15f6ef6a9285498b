package pipeline_test

import (
	"cmp"
	"slices"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
)

// knowledge is what people were told, over all lives.
type knowledge struct {
	entries map[sent]chat.Entry // answered sends, by their content
	pushed  map[domain.UserID]map[uint64]push
	reads   map[domain.ConversationID]map[domain.UserID]line
}

func newKnowledge() *knowledge {
	return &knowledge{
		entries: make(map[sent]chat.Entry),
		pushed:  make(map[domain.UserID]map[uint64]push),
		reads:   make(map[domain.ConversationID]map[domain.UserID]line),
	}
}

func (k *knowledge) read(conv domain.ConversationID, who domain.UserID, at line) {
	if k.reads[conv] == nil {
		k.reads[conv] = make(map[domain.UserID]line)
	}
	if at.Index > k.reads[conv][who].Index {
		k.reads[conv][who] = at
	}
}

// learn takes over what was answered and pushed in a life. What was answered
// twice was answered the same.
func (h *tale) learn() {
	for request, a := range h.s.links.answered() {
		place, ours := h.tries[request]
		if !ours || a.code != "" {
			continue
		}
		x := h.sends[place]
		x.after = ""
		if before, known := h.known.entries[x]; known {
			diff(h.t, "the answer to a repeated send", before, a.entry)
		}
		h.known.entries[x] = a.entry
	}
	for u, all := range h.s.links.pushes {
		if h.known.pushed[u] == nil {
			h.known.pushed[u] = make(map[uint64]push)
		}
		for _, p := range all {
			if before, known := h.known.pushed[u][p.item.Index]; known && before != p {
				h.t.Errorf("item %d of %s was pushed as %+v and as %+v", p.item.Index, u, before, p)
			}
			h.known.pushed[u][p.item.Index] = p
		}
	}
}

// check compares a server that has caught up with all that is known.
func (h *tale) check() {
	chains := make(map[domain.ConversationID][]line)
	for _, conv := range h.convs {
		chains[conv] = h.s.history(conv, h.members[conv][0])
		h.checkChain(conv, chains[conv])
	}
	for x, e := range h.known.entries {
		chain := chains[x.conv]
		want := line{e.Index, e.Pre, e.N, x.from, x.key, x.txt}
		if e.Index > uint64(len(chain)) {
			h.t.Errorf("answered %+v is gone; the chain ends at %d", want, len(chain))
		} else if got := chain[e.Index-1]; got != want {
			h.t.Errorf("answered %+v, now %+v", want, got)
		}
	}
	for _, u := range people {
		h.checkInbox(u, chains)
		h.checkList(u, chains)
	}
}

func (h *tale) checkChain(conv domain.ConversationID, chain []line) {
	n := uint64(0)
	keys := make(map[string]bool)
	for i, l := range chain {
		if l.Key != "" {
			n++
		}
		if l.Index != uint64(i+1) || l.Pre != uint64(i) || l.N != n {
			h.t.Errorf("entry %d of the chain: %+v, n should be %d", i+1, l, n)
		}
		key := string(l.From) + " " + l.Key
		if l.Key != "" && keys[key] {
			h.t.Errorf("%s is twice in the chain, again at %d", key, l.Index)
		}
		keys[key] = true
		if l.Key != "" && !slices.ContainsFunc(h.sends, func(x sent) bool {
			return x.conv == conv && x.from == l.From && x.key == l.Key && x.txt == l.Body
		}) {
			h.t.Errorf("%+v was never sent", l)
		}
	}
}

func (h *tale) checkInbox(u domain.UserID, chains map[domain.ConversationID][]line) {
	taken := make(map[domain.ConversationID]uint64)
	inbox := h.s.inbox(u)
	for i, d := range inbox {
		conv := d.Item.Conversation
		taken[conv]++
		if d.Item.Index != uint64(i+1) || d.Item.Pre != uint64(i) || d.Item.Entry != taken[conv] {
			h.t.Errorf("item %d of %s: %+v, entry should be %d", i+1, u, d.Item, taken[conv])
		}
		if p, known := h.known.pushed[u][d.Item.Index]; known && (p.item != d.Item || p.body != string(d.Message.Body)) {
			h.t.Errorf("item %d of %s was pushed as %+v, is now %+v", i+1, u, p, d)
		}
	}
	for conv, chain := range chains {
		m := h.members[conv]
		if (m[0] == u || m[1] == u) && taken[conv] != uint64(len(chain)) {
			h.t.Errorf("%s has %d entries of a chain of %d", u, taken[conv], len(chain))
		}
	}
	for index := range h.known.pushed[u] {
		if index > uint64(len(inbox)) {
			h.t.Errorf("item %d of %s was pushed and is gone", index, u)
		}
	}
}

func (h *tale) checkList(u domain.UserID, chains map[domain.ConversationID][]line) {
	rows := h.s.list(u)
	if !slices.IsSortedFunc(rows, func(a, b listed) int { return -cmp.Compare(a.Row.At, b.Row.At) }) {
		h.t.Errorf("list of %s is out of order: %+v", u, rows)
	}
	for _, r := range rows {
		chain := chains[r.Conversation]
		newest := chain[len(chain)-1]
		seen := h.known.reads[r.Conversation][u]
		if r.Row.Index != newest.Index || r.Row.N != newest.N || r.Row.Read != seen.Index {
			h.t.Errorf("row of %s: %+v, newest is %+v, read %d", u, r.Row, newest, seen.Index)
		}
		read := seen.N
		for _, l := range chain {
			if l.From == u {
				read = max(read, l.N)
			}
		}
		if want := newest.N - read; r.Row.Unread() != want {
			h.t.Errorf("unread of %s: %d, want %d", u, r.Row.Unread(), want)
		}
	}
}
