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
	delete(b.probed, conversation)
	return h
}

// begin follows a group although no entry says so: from the newest one, which
// may be in the line, or else at once.
func (b *mailbox) begin(conversation string, at uint64) *track {
	b.begun[conversation] = at
	for i := range slices.Backward(b.line) {
		if it := &b.line[i]; it.message.Conversation == conversation && !it.again {
			delete(b.begun, conversation)
			it.starts, it.ends = true, false
			break
		}
	}
	return b.start(conversation, at)
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

// comes reports whether an entry brings the user into its group.
func (b *mailbox) comes(m *Message) bool {
	return m.Change != nil && (slices.Contains(m.Change.Added, b.user) || slices.Contains(m.Change.Members, b.user))
}

// follow takes from a new entry whether its group is followed from here on.
func (b *mailbox) follow(it *item) {
	m := &it.message
	h := b.heads[m.Conversation]
	if h == nil {
		if m.Kind == KindDiffusion && m.Change.Mode == ModeRead {
			b.start(m.Conversation, m.Index)
			it.starts = true
		}
		return
	}
	switch {
	case m.Change == nil && !it.inbox:
	case m.Change == nil, // in the inbox: the group is not large at this entry
		m.Change.Mode == ModeWrite, slices.Contains(m.Change.Removed, b.user):
		b.stray = b.stray || h.known > m.Index
		b.end(h)
		it.ends = true
	case it.inbox: // it becomes large, or the user comes into it: the head begins here
		b.move(h, max(h.at, m.Index))
		delete(b.probed, h.of)
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
	return b.begin(s.Conversation, at)
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
			} else if at == 0 && b.probe(s.Conversation) {
				continue
			}
			h = b.begin(s.Conversation, at)
		case h.lost && s.Index > h.at:
			if b.probe(h.of) {
				continue
			}
			h.lost, h.torn = false, true
		}
		b.exists(h, s.Index)
	}
	b.fromNow = false
}

// probe asks for the inbox, once, although nothing says that it has more: a
// group is not where the inbox left it, so there is something in between. Then
// the heads are asked for again.
func (b *mailbox) probe(conversation string) bool {
	if b.probed[conversation] {
		return false
	}
	b.probed[conversation], b.stray = true, true
	b.exists(b.inbox, b.inbox.at+1)
	return true
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
