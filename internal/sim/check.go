package sim

import (
	"bytes"
	"slices"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
)

// check looks at all that is new since it looked last.
func (w *world) check() {
	if w.s.tables.dead || w.err != nil {
		return
	}
	defer w.quietly()()
	for _, conv := range w.convs {
		w.checkNew(conv)
	}
	for _, u := range w.users {
		w.checkBox(u)
		for _, conv := range w.convs {
			w.checkRow(u, conv)
		}
	}
}

// quietly lets a check read without troubles; what it returns ends that.
func (w *world) quietly() func() {
	calm, current := w.calm, w.current
	w.calm, w.current = true, nil
	return func() { w.calm, w.current = calm, current }
}

func (w *world) checkNew(conv domain.ConversationID) {
	p := w.seen[conv]
	head, err := w.s.store.Chains.Head(ctx, conv)
	if err != nil {
		w.fail("chain: head of %x: %v", conv[:2], err)
	}
	if head.Last < uint64(len(p.chain)) {
		w.fail("chain: %x had %d entries, its head says %d", conv[:2], len(p.chain), head.Last)
	}
	if head.Last <= uint64(len(p.chain)) {
		return
	}
	fresh, err := w.s.store.Chains.After(ctx, conv, uint64(len(p.chain)), 1000)
	if err != nil {
		w.fail("chain: %x: %v", conv[:2], err)
	}
	for _, m := range fresh {
		w.take(conv, p, m)
	}
	if uint64(len(p.chain)) != head.Last || p.n(head.Last) != head.N {
		w.fail("chain: %x ends with %d, n %d; its head says %d, %d", conv[:2], len(p.chain), p.n(head.Last), head.Last, head.N)
	}
}

// checkBox: an inbox is, item by item, what follows from the chains.
func (w *world) checkBox(u domain.UserID) {
	b := w.boxes[u]
	head, err := w.s.store.Inboxes.Head(ctx, u)
	if err != nil || head.Last < uint64(len(b.items)) {
		w.fail("inbox: %s had %d items, the head says %d: %v", u, len(b.items), head.Last, err)
	}
	if head.Last <= uint64(len(b.items)) {
		return
	}
	fresh, err := w.s.store.Inboxes.Items(ctx, u, uint64(len(b.items)), 10_000)
	if err != nil {
		w.fail("inbox: %s: %v", u, err)
	}
	for _, it := range fresh {
		last := uint64(len(b.items))
		b.items = append(b.items, it)
		if it.Index != last+1 || it.Pre != last {
			w.fail("inbox: item %d of %s: %+v", last+1, u, it)
		}
		if told, ok := w.items[u][it.Index]; ok && told != it {
			w.fail("inbox: item %d of %s was told of as %+v and is %+v", it.Index, u, told, it)
		}
		conv := it.Conversation
		at := b.taken[conv]
		b.taken[conv]++
		if w.maimed {
			continue
		}
		if w.seen[conv] == nil || at >= len(w.seen[conv].due[u]) || w.seen[conv].due[u][at] != it.Entry {
			w.fail("inbox: item %d of %s is %d of %x, which is not the next that is due", it.Index, u, it.Entry, conv[:2])
		}
	}
}

// checkRow: unread follows from the chain as of the row.
func (w *world) checkRow(u domain.UserID, conv domain.ConversationID) {
	row, ok, err := w.s.store.Inboxes.RowOf(ctx, u, conv)
	if err != nil {
		w.fail("row: %v", err)
	}
	p := w.seen[conv]
	if !ok || w.maimed {
		return
	}
	at := reader{conv, u}
	if row.Read != 0 && !slices.Contains(w.tried[at], row.Read) {
		w.fail("row: %s has read %x up to %d, which he never said", u, conv[:2], row.Read)
	}
	if row.ReadN != p.n(row.Read) || row.N != p.n(row.Index) {
		w.fail("row: of %s for %x: %+v, n should be %d, read %d", u, conv[:2], row, p.n(row.Index), p.n(row.Read))
	}
	if p.ever {
		return // what he sent comes beside the row's entries; looked at when all rests
	}
	joined := uint64(0)
	for i := range p.due[u] {
		if e := p.due[u][i]; e <= row.Index && joins(&p.chain[e-1], u) {
			joined = p.chain[e-1].N
		}
	}
	seen := max(p.n(row.Read), p.ownN(u, row.Index), joined)
	if want := row.N - min(seen, row.N); row.Unread() != want {
		w.fail("row: of %s for %x: %+v, unread should be %d", u, conv[:2], row, want)
	}
}

func joins(m *chat.Message, u domain.UserID) bool {
	name := []byte(`"` + u + `"`)
	if m.Kind == chat.Created {
		return bytes.Contains(m.Body, name)
	}
	added, _, _ := bytes.Cut(m.Body, []byte(`"removed"`))
	return m.Kind == chat.Members && bytes.Contains(added, name)
}
