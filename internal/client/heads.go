package client

import (
	"slices"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// The part of the mailbox that follows large groups.

func (b *mailbox) start(conversation string, at uint64) *track {
	h := &track{of: conversation, at: at, known: at}
	b.heads[conversation] = h
	b.sum += at
	return h
}

func (b *mailbox) end(h *track) {
	b.sum -= h.at
	delete(b.heads, h.of)
	delete(b.late, h)
	delete(b.begun, h.of)
}

func (b *mailbox) move(t *track, to uint64) {
	if t.of != "" {
		b.sum += to - t.at
	}
	t.at = to
}

// lose gives up a gap that the server does not show: the user has left, or was
// away in between. The inbox, which may be behind, tells more.
func (b *mailbox) lose(h *track) {
	h.lost, h.ahead = true, nil
	b.unblock()
}

// follow takes from a new entry whether its group is followed from here on.
func (b *mailbox) follow(it *item) {
	m := &it.message
	if m.Change == nil {
		return
	}
	h := b.heads[m.Conversation]
	comes := slices.Contains(m.Change.Added, b.user)
	switch {
	case m.Kind == KindDiffusion && m.Change.Mode == ModeRead && h == nil:
		b.start(m.Conversation, m.Index)
		it.starts = true
	case h == nil:
	case m.Kind == KindDiffusion && m.Change.Mode == ModeWrite || slices.Contains(m.Change.Removed, b.user):
		b.end(h)
		it.ends = true
	case h.lost && comes:
		b.move(h, m.Index)
		h.lost, it.starts = false, true
		b.exists(h, h.known)
	}
}

// followed returns the track of a pushed entry of a large group, nil if it
// cannot be taken. What came of the group before, in the inbox, ends where its
// head begins. Whole says that the entry has its pre.
func (b *mailbox) followed(s *wire.Shown, whole bool) *track {
	h := b.heads[s.Conversation]
	if h != nil && !h.lost {
		return h
	}
	at := b.newestOf(s.Conversation)
	switch {
	case s.Index <= at:
		return nil
	case h == nil && at > 0:
	case h == nil && b.fromNow && whole:
		at = s.Pre
	default:
		b.stray = true
		return nil
	}
	b.begun[s.Conversation] = at
	return b.start(s.Conversation, at)
}

// wantsHeads reports whether to ask the server where the heads are: by its sum
// some are further. Only with the whole inbox the groups are the same.
func (b *mailbox) wantsHeads() bool {
	if b.inbox.gap() || b.blocked != "" {
		return false
	}
	if b.told <= b.sum && !b.stray {
		b.fromNow = false
		return false
	}
	return b.stray || b.told != b.asked
}

// headed takes the answer.
func (b *mailbox) headed(heads []wire.Shown) {
	for i := range heads {
		s := &heads[i]
		h := b.heads[s.Conversation]
		switch {
		case h == nil:
			at := b.newestOf(s.Conversation)
			if at == 0 && b.fromNow {
				at = s.Index
			}
			b.begun[s.Conversation] = at
			h = b.start(s.Conversation, at)
		case h.lost && s.Index > h.at:
			h.lost, h.torn = false, true
		}
		b.exists(h, s.Index)
	}
	b.fromNow = false
}

// own are the texts that were answered for and are not yet in the line: on the
// link that sent them they come as their place alone.
type own map[ownKey]wire.Shown

type ownKey struct {
	conversation string
	index        uint64
}

// maxOwn bounds them; what finds no room is pulled.
const maxOwn = 1024

func (o own) add(s *wire.Shown) {
	if len(o) < maxOwn {
		o[ownKey{s.Conversation, s.Index}] = *s
	}
}

func (o own) drop(conversation string, index uint64) { delete(o, ownKey{conversation, index}) }

// whole makes the entry of an own frame whole, nil if that cannot be: what was
// sent must be known, and that no entry of its conversation lies between it and
// the newest one.
func (o own) whole(r *wire.Received, newest uint64) *wire.Shown {
	s, ok := o[ownKey{r.Conversation, r.Index}]
	if !ok || newest+1 != r.Index {
		return nil
	}
	s.Inbox, s.Pre = r.Inbox, newest
	return &s
}
