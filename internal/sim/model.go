package sim

import (
	"bytes"
	"slices"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/usecase"
)

// model is what people did and were told, over all lives.
type model struct {
	users    []domain.UserID
	online   map[domain.UserID]bool
	convs    []domain.ConversationID
	direct   map[domain.ConversationID][]domain.UserID
	opened   map[domain.ConversationID]bool
	said     []content
	lastKey  map[speaker]string
	requests map[string]*request
	ids      map[domain.MessageID]*request
	nextID   uint64
	epoch    string
	maimed   bool // the log lost what was durable once: not all can be whole

	accepted map[content]acceptance // answered sends; content without after
	told     map[domain.ConversationID]map[uint64]*hint
	items    map[domain.UserID]map[uint64]user.Item // pushed or read
	acked    map[reader]uint64
	tried    map[reader][]uint64
	poisoned map[domain.ConversationID]int // at least so many voids are due
	garbaged map[domain.ConversationID]int // and at most so many
	position map[domain.UserID]usecase.Position

	// Of this life.
	seen   map[domain.ConversationID]*projection
	boxes  map[domain.UserID]*box
	pushes map[domain.UserID]uint64 // index of the newest push
}

// content is a message that somebody wants to send.
type content struct {
	conv             domain.ConversationID
	from             domain.UserID
	key, after, text string
}

// plain leaves out what does not make another message of it.
func (c content) plain() content { c.after = ""; return c }

// before names the predecessor, whatever its text.
func (c content) before() content { c.key, c.after, c.text = c.after, "", ""; return c }

// acceptance is the answer to a send, and where the first one stood that got it.
type acceptance struct {
	entry  chat.Entry
	offset int64
}

type speaker struct {
	conv domain.ConversationID
	who  domain.UserID
}

type reader = speaker

// request is something asked for, with its place in the log.
type request struct {
	what    string
	conv    domain.ConversationID
	key     []byte
	id      domain.MessageID
	content content
	who     domain.UserID
	index   uint64
	at      place
	offset  int64
	life    int
	follows bool // the predecessor was known to be accepted
	got     *answer
}

// hint is what was told of an entry: all, or all but its body.
type hint struct {
	entry   chat.Entry
	body    []byte
	hasBody bool
}

// box is an inbox as seen in this life.
type box struct {
	items []user.Item
	taken map[domain.ConversationID]int
}

func newModel(users []domain.UserID) model {
	m := model{
		users: users, online: make(map[domain.UserID]bool), direct: make(map[domain.ConversationID][]domain.UserID),
		opened: make(map[domain.ConversationID]bool), lastKey: make(map[speaker]string),
		requests: make(map[string]*request), ids: make(map[domain.MessageID]*request),
		position: make(map[domain.UserID]usecase.Position),
		poisoned: make(map[domain.ConversationID]int), garbaged: make(map[domain.ConversationID]int),
	}
	for _, u := range users {
		m.online[u] = true
	}
	m.unlearn()
	m.forget()
	return m
}

// unlearn drops what was told: the numbering is another one now.
func (m *model) unlearn() {
	m.accepted = make(map[content]acceptance)
	m.told = make(map[domain.ConversationID]map[uint64]*hint)
	m.items = make(map[domain.UserID]map[uint64]user.Item)
	m.acked, m.tried = make(map[reader]uint64), make(map[reader][]uint64)
}

// forget drops what belongs to a life.
func (m *model) forget() {
	m.seen = make(map[domain.ConversationID]*projection)
	for _, conv := range m.convs {
		m.seen[conv] = newProjection(m.direct[conv])
	}
	m.boxes, m.pushes = make(map[domain.UserID]*box), make(map[domain.UserID]uint64)
	for _, u := range m.users {
		m.boxes[u] = &box{taken: make(map[domain.ConversationID]int)}
	}
}

// meet notes a conversation; members are those of a direct one.
func (m *model) meet(id domain.ConversationID, members ...domain.UserID) {
	if slices.Contains(m.convs, id) {
		return
	}
	m.convs = append(m.convs, id)
	m.direct[id] = members
	m.seen[id] = newProjection(members)
}

// members are those as of the newest entry seen, in order.
func (m *model) members(conv domain.ConversationID) []domain.UserID {
	var all []domain.UserID
	for _, u := range m.users {
		if _, ok := m.seen[conv].members[u]; ok {
			all = append(all, u)
		}
	}
	return all
}

// settleEpoch: a numbering ends only if the log has lost something.
func (w *world) settleEpoch(epoch string) {
	if w.loss {
		w.unlearn()
	} else if w.epoch != "" && epoch != w.epoch {
		w.fail("epoch: it has changed, and nothing was lost")
	}
	w.loss, w.epoch = false, epoch
}

// answered takes an answer.
func (w *world) answered(name string, a answer) {
	r := w.requests[name]
	if r == nil {
		w.fail("answer: nobody asked %s", name)
		return
	}
	w.tell("  %s is answered: %s %s %d", name, a.what, a.code, a.entry.Index)
	if !w.certain(r) {
		w.fail("answer: %s before its record is durable", name)
	}
	if b := r.got; b != nil && (b.what != a.what || b.code != a.code || !same(&b.entry, &a.entry)) {
		w.fail("answer: %s was answered %s %s %d before", name, b.what, b.code, b.entry.Index)
	}
	r.got = &a
	switch a.what {
	case "sent":
		w.sent(name, r, &a)
	case "refused":
		if first, ok := w.accepted[r.content.plain()]; ok && r.what == "send" && first.offset < r.offset {
			w.fail("answer: %s is refused with %s, and was accepted before", name, a.code)
		}
		if a.code == domain.PredecessorMissing && r.follows {
			w.fail("answer: the predecessor of %s was accepted", name)
		}
	case "opened":
		w.opened[r.conv] = true
	case "done":
		at := reader{r.conv, r.who}
		w.acked[at] = max(w.acked[at], r.index)
	}
}

func (w *world) sent(name string, r *request, a *answer) {
	c := r.content.plain()
	before, known := w.accepted[c]
	if known && !same(&before.entry, &a.entry) {
		w.fail("answer: %s got %d, the same message got %d before", name, a.entry.Index, before.entry.Index)
	}
	if string(a.entry.Key) != c.key || a.entry.From != c.from || a.conv != c.conv {
		w.fail("answer: %s got an entry of another message", name)
	}
	if !known || r.offset < before.offset {
		w.accepted[c] = acceptance{a.entry, r.offset}
		w.accepted[content{conv: c.conv, from: c.from, key: c.key}] = acceptance{a.entry, r.offset}
	}
	w.hear(a.conv, &hint{entry: a.entry})
}

// pushed takes a push.
func (w *world) pushed(u domain.UserID, item user.Item, m chat.Message) {
	w.tell("  %s is pushed item %d: %d of %x", u, item.Index, item.Entry, item.Conversation[:2])
	if r := w.ids[origin(&m)]; m.Kind != chat.Void && !w.certain(r) {
		w.fail("push: %d of %x before its record is durable", m.Index, item.Conversation[:2])
	}
	if m.Index != item.Entry || m.Conversation != item.Conversation {
		w.fail("push: item %d of %s is %d, with message %d", item.Index, u, item.Entry, m.Index)
	}
	w.hear(item.Conversation, &hint{entry: m.Entry, body: m.Body, hasBody: true})
	if item.Index == 0 {
		if since, ok := w.seen[item.Conversation].members[u]; ok && since == item.Entry {
			w.fail("push: %s got the head %d, which brought him in, beside his inbox", u, item.Entry)
		}
		return
	}
	if item.Index <= w.pushes[u] {
		w.fail("push: item %d of %s after %d", item.Index, u, w.pushes[u])
	}
	w.pushes[u] = item.Index
	w.own(u, item)
}

// certain reports whether what was asked for can no longer be lost. What the log
// has lost all the same may still be in the store.
func (w *world) certain(r *request) bool {
	return r != nil && (w.s.journal.durable(r.at, r.offset) || w.maimed && r.life < w.life)
}

// origin is the id of the request that made an entry.
func origin(m *chat.Message) domain.MessageID {
	id := m.ID
	if m.Kind == chat.Switched {
		id[len(id)-1] ^= 1
	}
	return id
}

// own notes an item that a user was told of; its place means it for ever.
func (w *world) own(u domain.UserID, item user.Item) {
	if w.items[u] == nil {
		w.items[u] = make(map[uint64]user.Item)
	}
	if before, known := w.items[u][item.Index]; known && before != item {
		w.fail("inbox: item %d of %s was %d of %x, is %d of %x", item.Index, u,
			before.Entry, before.Conversation[:2], item.Entry, item.Conversation[:2])
	}
	w.items[u][item.Index] = item
}

// hear notes what was told of an entry; it stays so for ever.
func (w *world) hear(conv domain.ConversationID, h *hint) {
	if w.told[conv] == nil {
		w.told[conv] = make(map[uint64]*hint)
	}
	before := w.told[conv][h.entry.Index]
	if before == nil {
		w.told[conv][h.entry.Index] = h
		return
	}
	if !before.agrees(h) {
		w.fail("chain: entry %d of %x was told of as %q %q, now as %q %q", h.entry.Index, conv[:2],
			before.entry.Key, before.body, h.entry.Key, h.body)
	}
	if h.hasBody {
		w.told[conv][h.entry.Index] = h
	}
}

func (h *hint) agrees(o *hint) bool {
	return same(&h.entry, &o.entry) && (!h.hasBody || !o.hasBody || bytes.Equal(h.body, o.body))
}

func same(a, b *chat.Entry) bool {
	return a.Index == b.Index && a.Pre == b.Pre && a.N == b.N && a.ID == b.ID && a.From == b.From &&
		bytes.Equal(a.Key, b.Key) && a.Kind == b.Kind && a.At == b.At
}

// heardAll takes a page of a chain that a client was shown.
func (w *world) heardAll(who domain.UserID, m []chat.Message) {
	for i := range m {
		if i > 0 && m[i].Index != m[i-1].Index+1 {
			w.fail("history: %s got %d after %d", who, m[i].Index, m[i-1].Index)
		}
		if r := w.ids[origin(&m[i])]; m[i].Kind != chat.Void && !w.certain(r) {
			w.fail("history: %s got %d before its record is durable", who, m[i].Index)
		}
		w.hear(m[i].Conversation, &hint{entry: m[i].Entry, body: m[i].Body, hasBody: true})
	}
}

// delivered takes a page of an inbox that a client was given.
func (w *world) delivered(who domain.UserID, after uint64, page []usecase.Delivery) {
	for i := range page {
		d := &page[i]
		if d.Item.Index != after+uint64(i)+1 || d.Message.Index != d.Item.Entry {
			w.fail("inbox: %s got item %d with message %d at %d", who, d.Item.Index, d.Message.Index, after+uint64(i)+1)
		}
		w.own(who, d.Item)
		w.heardAll(who, []chat.Message{d.Message})
	}
}
