package sim

import (
	"bytes"
	"cmp"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/conversation"
)

// checkTold: what anybody was told is there once the server is ready.
func (w *world) checkTold() {
	w.check()
	for _, conv := range w.convs {
		for index := range w.told[conv] {
			if index > uint64(len(w.seen[conv].chain)) {
				w.fail("chain: entry %d of %x was told of and is gone", index, conv[:2])
			}
		}
	}
	for _, u := range w.users {
		for index := range w.items[u] {
			if index > uint64(len(w.boxes[u].items)) {
				w.fail("inbox: item %d of %s was told of and is gone", index, u)
			}
		}
	}
}

// checkAll compares everything, when all has come to rest.
func (w *world) checkAll() {
	if w.err != nil {
		return
	}
	w.checkTold()
	defer w.quietly()()
	for _, conv := range w.convs {
		w.checkChain(conv)
	}
	if w.maimed || w.err != nil {
		return
	}
	for _, u := range w.users {
		heads := uint64(0)
		for _, conv := range w.convs {
			p := w.seen[conv]
			if got := w.boxes[u].taken[conv]; got != len(p.due[u]) {
				w.fail("inbox: %s has %d entries of %x, due are %d", u, got, conv[:2], len(p.due[u]))
			}
			if _, member := p.members[u]; member && p.read {
				heads += uint64(len(p.chain))
			}
		}
		state, refusal := w.s.svc.Newest(ctx, u)
		if refusal != nil || state.Heads != heads {
			w.fail("heads: of %s: %d, should be %d: %v", u, state.Heads, heads, refusal)
		}
		w.checkList(u)
	}
}

func (w *world) checkChain(conv domain.ConversationID) {
	p := w.seen[conv]
	whole, err := w.s.store.Chains.After(ctx, conv, 0, 100_000)
	if err != nil || len(whole) != len(p.chain) {
		w.fail("chain: %x has %d entries, had %d: %v", conv[:2], len(whole), len(p.chain), err)
		return
	}
	for i := range whole {
		if !same(&whole[i].Entry, &p.chain[i].Entry) || !bytes.Equal(whole[i].Body, p.chain[i].Body) {
			w.fail("chain: entry %d of %x was %+v, is %+v", i+1, conv[:2], p.chain[i], whole[i])
		}
	}
	if !w.maimed && (p.voids < w.poisoned[conv] || p.voids > w.garbaged[conv]) {
		w.fail("chain: %x has %d voids, due are %d to %d", conv[:2], p.voids, w.poisoned[conv], w.garbaged[conv])
	}
	roster, err := w.s.store.Chains.Roster(ctx, conv)
	if err != nil {
		w.fail("chain: members of %x: %v", conv[:2], err)
	}
	if !roster.Exists() {
		return
	}
	owners := 0
	for _, m := range roster.Members {
		if since, ok := p.members[m.ID]; !ok || since != m.Since {
			w.fail("chain: %s is in %x since %d, the chain says %d, %t", m.ID, conv[:2], m.Since, since, ok)
		}
		if m.Role == chat.Owner {
			owners++
		}
	}
	if len(roster.Members) != len(p.members) || (roster.Diffusion == chat.Read) != p.read {
		w.fail("chain: %x has %d members, the chain says %d", conv[:2], len(roster.Members), len(p.members))
	}
	if roster.Form == chat.Group && len(roster.Members) > 0 && owners == 0 {
		w.fail("chain: %x has no owner", conv[:2])
	}
}

// checkList: the list is the conversations of a user, the newest first, with
// what is unread in each.
func (w *world) checkList(u domain.UserID) {
	page, refusal := w.s.svc.List(ctx, u, "", 0, 100)
	if refusal != nil {
		w.fail("list: of %s: %v", u, refusal)
		return
	}
	listed := make(map[domain.ConversationID]conversation.Row)
	for i, r := range page.Rows {
		if i > 0 && cmp.Compare(page.Rows[i-1].Row.At, r.Row.At) < 0 {
			w.fail("list: of %s is out of order at %d", u, i)
		}
		listed[r.Conversation] = r.Row
	}
	for _, conv := range w.convs {
		p := w.seen[conv]
		row, there := listed[conv]
		if there != (len(p.due[u]) > 0) {
			w.fail("list: %x is in that of %s: %t", conv[:2], u, there)
		}
		if !there {
			continue
		}
		last := p.due[u][len(p.due[u])-1]
		if _, member := p.members[u]; member && p.read {
			last = uint64(len(p.chain))
		}
		if row.Index != last || row.Read < w.acked[reader{conv, u}] {
			w.fail("list: row of %s for %x: %+v, should be at %d, read %d", u, conv[:2], row, last, w.acked[reader{conv, u}])
		}
		seen := max(p.n(row.Read), p.ownN(u, last), p.joinN[u])
		if want := row.N - min(seen, row.N); row.Unread() != want {
			w.fail("list: row of %s for %x: %+v, unread should be %d", u, conv[:2], row, want)
		}
	}
}
