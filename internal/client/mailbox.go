package client

import "github.com/merchantim/merchantim/internal/gateway/wire"

// mailbox puts what the links bring, pushed or pulled, in one line without gap
// or repetition: the user's inbox and the large groups, which have a chain each
// and come into no inbox. In the line the entries of one conversation are in
// the order of its chain, also where it becomes large or ceases to be. It
// belongs to the loop.
//
// That order needs two rules. A large group is followed from the entry that
// made it large, or brought the user in: the newest one that the inbox had. And
// an entry of the inbox waits until the group that it belongs to, if that is
// followed, has come up to it (blocked).
type mailbox struct {
	user, epoch string
	inbox       *track
	heads       map[string]*track
	late        map[*track]struct{} // those heads that have a gap
	sum         uint64              // of what the heads are at
	newest      map[string]uint64   // newest index taken of each conversation seen so far
	stored      func(conversation string) uint64
	own         own
	line        []item // not yet handed over
	max         int    // of line
	mine        func(from, key string) bool

	begun   map[string]uint64 // heads that are followed without an entry that says so
	told    uint64            // sum of the heads as the server last told it
	asked   uint64            // the last told for which the heads were asked
	stray   bool              // something came of a large group that is not followed yet
	probed  map[string]bool   // groups for which the inbox was asked (see probe)
	fromNow bool              // the heads of the first link are where this client begins
	blocked string            // the group that the inbox waits for, "" if it does not
}

func newMailbox(at *Position, max int) *mailbox {
	b := &mailbox{user: at.User, epoch: at.Epoch, max: max}
	b.clear()
	b.inbox.at, b.inbox.known = at.Index, at.Index
	for conversation, index := range at.Heads {
		b.start(conversation, index)
	}
	return b
}

func (b *mailbox) clear() {
	b.inbox, b.line, b.sum, b.told, b.asked = &track{}, nil, 0, 0, 0
	b.heads, b.late, b.begun = make(map[string]*track), make(map[*track]struct{}), make(map[string]uint64)
	b.newest, b.own, b.probed = make(map[string]uint64), make(own), make(map[string]bool)
}

// greeted takes the welcome of a new link. It returns true if all that there
// was before means nothing any more, and everything is read again.
func (b *mailbox) greeted(w *wire.Received, fromNow bool) (anew bool) {
	if anew = b.epoch != w.Epoch || b.user != w.User; anew {
		b.fromNow = b.epoch == "" && fromNow
		b.user, b.epoch = w.User, w.Epoch
		b.clear()
		if b.fromNow {
			b.inbox.at = w.Inbox.Index
		}
	}
	b.inbox.known, b.told = b.inbox.at, w.Inbox.Heads
	if !w.Recovered { // else all that was missed follows, and a later pong tells if not
		b.tells(w.Inbox)
	}
	return anew
}

// unlinked forgets what was asked on a link that is gone.
func (b *mailbox) unlinked() {
	b.inbox.relinked()
	for _, h := range b.heads {
		h.relinked()
	}
	b.asked, b.blocked = 0, ""
}

// tells takes the state of the user's chains as the server sees them.
func (b *mailbox) tells(p wire.Place) {
	b.exists(b.inbox, p.Index)
	b.told = p.Heads
}

// exists notes that there is an entry with this index.
func (b *mailbox) exists(t *track, index uint64) {
	if t.known = max(t.known, index); t.of != "" && t.gap() {
		b.late[t] = struct{}{}
	}
}

// pushed takes a msg or own frame.
func (b *mailbox) pushed(r *wire.Received) {
	s, t, inbox := &r.Shown, b.inbox, r.Inbox.Index > 0
	if r.Type == "own" {
		s = b.own.whole(r, b.newestOf(r.Conversation))
	}
	if !inbox {
		if t = b.followed(&r.Shown, s != nil); t == nil {
			return
		}
		b.exists(t, r.Index)
	} else {
		b.exists(t, r.Inbox.Index)
	}
	if s != nil { // else it is pulled
		b.offer(t, b.item(s, inbox))
	}
}

// offer takes an entry, or keeps it behind the gap before it.
func (b *mailbox) offer(t *track, it item) {
	switch {
	case it.index() <= t.at:
	case it.pre > t.at || len(b.line) >= b.max || b.waits(&it):
		t.behind(it)
	default:
		b.take(t, it)
		b.drain(t)
	}
}

// waits reports whether an entry of the inbox must wait for its group.
func (b *mailbox) waits(it *item) bool {
	if !it.inbox {
		return false
	}
	m := &it.message
	h := b.heads[m.Conversation]
	if h == nil {
		// A hole in what the inbox has of a conversation: it was a large group
		// meanwhile, unless the user was away.
		if at := b.newestOf(m.Conversation); at > 0 && m.Pre > at && !b.comes(m) {
			h = b.begin(m.Conversation, at)
		}
	}
	if h == nil || h.lost || m.Pre <= h.at {
		return false
	}
	b.exists(h, m.Pre)
	b.blocked = h.of
	return true
}

// pulled takes a page of a track, and then what was pushed behind the gap that
// it closed. What does not fit is pulled later.
func (b *mailbox) pulled(t *track, page []wire.Shown) {
	defer b.unblock()
	for i := range page {
		it := b.item(&page[i], t.of == "")
		b.exists(t, it.index())
		switch {
		case it.index() <= t.at:
			continue
		case t.of != "" && t.at > 0 && it.pre > t.at && !t.torn:
			b.lose(t) // the user was away in between, and the inbox will tell
			return
		case len(b.line) >= b.max || b.waits(&it):
			return
		}
		if b.take(t, it); b.ended(t) {
			return // the rest comes in the inbox
		}
	}
	if len(page) == 0 {
		if t.known = t.at; t.of != "" && b.blocked == t.of {
			b.lose(t)
			return
		}
	}
	b.drain(t)
}

// drain takes what waited behind a gap that is closed.
func (b *mailbox) drain(t *track) {
	for len(t.ahead) > 0 && len(b.line) < b.max && t.ahead[0].pre <= t.at && !b.ended(t) {
		it := t.ahead[0]
		if it.index() > t.at {
			if b.waits(&it) {
				return
			}
			b.take(t, it)
		}
		t.ahead = t.ahead[1:]
	}
	if t.of != "" {
		b.unblock()
	}
}

// ended reports whether a group is followed no more.
func (b *mailbox) ended(t *track) bool { return t.of != "" && b.heads[t.of] != t }

// unblock lets the inbox go on if the group that it waited for has come up.
func (b *mailbox) unblock() {
	if b.blocked == "" {
		return
	}
	if h := b.heads[b.blocked]; h == nil || h.lost || h.at >= h.known {
		b.blocked = ""
		b.drain(b.inbox)
	}
}

func (b *mailbox) take(t *track, it item) {
	b.move(t, it.index())
	m := &it.message
	b.own.drop(m.Conversation, m.Index)
	if it.again = m.Index <= b.newestOf(m.Conversation); !it.again {
		b.newest[m.Conversation] = m.Index
		b.follow(&it)
	}
	b.line = append(b.line, it)
}

// pull returns how many entries of a track to ask for now, 0: none.
func (b *mailbox) pull(t *track) int {
	room := b.max - len(b.line)
	if !t.gap() || room < (b.max+1)/2 || t.of == "" && b.blocked != "" {
		return 0
	}
	return room
}

func (b *mailbox) item(s *wire.Shown, inbox bool) item {
	it := item{inbox: inbox, pre: s.Pre, silent: b.mine(s.From, s.Key), message: messageOf(b.epoch, s)}
	if inbox {
		it.pre = s.Inbox.Pre
	} else {
		it.message.Inbox.Index = 0
	}
	return it
}

// newestOf is the newest index taken of a conversation, 0 if there is none.
func (b *mailbox) newestOf(conversation string) uint64 {
	index, ok := b.newest[conversation]
	if !ok {
		index = b.stored(conversation)
		b.newest[conversation] = index
	}
	return index
}
