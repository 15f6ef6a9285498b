package sim

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/usecase"
)

// client does something that a client may do, or a defect.
func (w *world) client() {
	if !w.s.ready {
		return
	}
	switch n := w.rng.IntN(100); {
	case n < 6 || len(w.convs) == 0:
		w.open()
	case n < 50:
		w.say()
	case n < 60:
		w.sayAgain()
	case n < 70:
		w.change()
	case n < 76:
		w.read()
	case n < 80:
		w.garbage()
	case n < 90:
		w.look()
	case len(w.s.calls) > 0:
		w.resume(pick(w.rng, w.s.calls))
	}
}

// ask gives a request a name.
func (w *world) ask(r request) (domain.Origin, string) {
	name := fmt.Sprintf("%d.%d", w.life, len(w.requests))
	r.at, r.offset, r.life = place{}, -1, w.life
	w.requests[name] = &r
	return domain.Origin{Node: 1, Conn: uint64(w.life), Request: []byte(name)}, name
}

// went notes where the requests of one append are in the log, or that they were
// not taken.
func (w *world) went(topic stream.TopicID, refusal *domain.Error, names ...string) {
	offsets := make(map[place]int64)
	for _, name := range slices.Backward(names) {
		r := w.requests[name]
		if refusal != nil {
			w.tell("  %s is not taken: %s", name, refusal.Code)
			delete(w.requests, name)
			continue
		}
		at := place{topic, stream.PartitionOf(r.key, w.s.journal.Partitions(topic))}
		if _, ok := offsets[at]; !ok {
			offsets[at] = w.s.journal.last[at]
		}
		r.at, r.offset = at, offsets[at]
		offsets[at]--
		w.ids[r.id] = r
	}
}

func (w *world) messageID() (id domain.MessageID) {
	w.nextID++
	binary.BigEndian.PutUint64(id[:], w.nextID)
	return id
}

// open makes a direct conversation or a group.
func (w *world) open() {
	a := pick(w.rng, w.users)
	if w.rng.IntN(2) == 0 {
		b := pick(w.rng, w.users)
		if a == b {
			return
		}
		id := domain.DirectID(a, b)
		w.meet(id, a, b)
		origin, name := w.ask(request{what: "open", conv: id, key: id[:]})
		w.tell("%s opens a conversation with %s: %s", a, b, name)
		w.went(record.SingleTopic, w.s.accept.Open(origin, id, a, w.now, []domain.UserID{a, b}), name)
		return
	}
	id := chat.GroupID(a, []byte("g"))
	with := slices.Clone(w.users)
	w.rng.Shuffle(len(with), func(i, j int) { with[i], with[j] = with[j], with[i] })
	with = with[:1+w.rng.IntN(len(with))]
	w.meet(id)
	msg := w.messageID()
	origin, name := w.ask(request{what: "create", conv: id, key: id[:], id: msg})
	w.tell("%s makes a group with %v: %s", a, with, name)
	w.went(record.SingleTopic, w.s.accept.Create(origin, id, &chat.Creation{
		From: a, ID: msg, Title: "team", Members: with, At: w.now, Limits: w.cfg.limits,
	}), name)
}

// say sends one or some new messages in one append.
func (w *world) say() {
	var batch []content
	for range 1 + w.rng.IntN(3)*w.rng.IntN(2) {
		conv := pick(w.rng, w.convs)
		who := pick(w.rng, w.users)
		if m := w.members(conv); len(m) > 0 && w.rng.IntN(8) > 0 {
			who = pick(w.rng, m)
		}
		n := len(w.said) + len(batch)
		c := content{conv: conv, from: who, key: fmt.Sprint("k", n), text: fmt.Sprint("text ", n)}
		switch w.rng.IntN(4) {
		case 0:
			c.after = w.lastKey[speaker{conv, who}]
		case 1:
			c.after = fmt.Sprint("k", w.rng.IntN(n+2)) // maybe of others, or none
		}
		w.lastKey[speaker{conv, who}] = c.key
		batch = append(batch, c)
	}
	w.said = append(w.said, batch...)
	w.send(batch)
}

// sayAgain sends something of any life again, as it was or changed.
func (w *world) sayAgain() {
	if len(w.said) == 0 {
		return
	}
	c := pick(w.rng, w.said)
	if w.rng.IntN(4) == 0 {
		c.text += "!"
		w.said = append(w.said, c)
	}
	w.send([]content{c})
}

func (w *world) send(batch []content) {
	in := make([]chat.Incoming, len(batch))
	names := make([]string, len(batch))
	for i, c := range batch {
		_, follows := w.accepted[c.before()]
		r := request{what: "send", conv: c.conv, key: c.conv[:], id: w.messageID(), content: c, follows: follows}
		in[i].Origin, names[i] = w.ask(r)
		in[i].Send = chat.Send{
			Conversation: c.conv, From: c.from, Key: []byte(c.key), After: []byte(c.after),
			ID: r.id, Kind: chat.Text, Body: []byte(c.text), At: w.now,
		}
		w.tell("%s says %q as %s after %q in %x: %s", c.from, c.text, c.key, c.after, c.conv[:2], names[i])
	}
	w.went(record.SingleTopic, w.s.svc.Send(in, nil), names...)
}

// change adds and removes members.
func (w *world) change() {
	conv, who := pick(w.rng, w.convs), pick(w.rng, w.users)
	if m := w.members(conv); len(m) > 0 && w.rng.IntN(4) > 0 {
		who = pick(w.rng, m)
	}
	var add, remove []domain.UserID
	for _, u := range w.users {
		switch w.rng.IntN(4) {
		case 0:
			add = append(add, u)
		case 1:
			remove = append(remove, u)
		}
	}
	id := w.messageID()
	origin, name := w.ask(request{what: "change", conv: conv, key: conv[:], id: id})
	w.tell("%s adds %v and removes %v in %x: %s", who, add, remove, conv[:2], name)
	w.went(record.SingleTopic, w.s.accept.Change(origin, conv, &chat.Changing{
		From: who, ID: id, Add: add, Remove: remove, At: w.now, Limits: w.cfg.limits,
	}), name)
}

// read moves a read position to an entry that was told of.
func (w *world) read() {
	conv, who := pick(w.rng, w.convs), pick(w.rng, w.users)
	seen := w.seen[conv].chain
	if len(seen) == 0 || !slices.Contains(w.members(conv), who) {
		return
	}
	m := seen[w.rng.IntN(len(seen))]
	origin, name := w.ask(request{what: "read", conv: conv, who: who, index: m.Index, key: []byte(who)})
	w.tell("%s has read %x up to %d: %s", who, conv[:2], m.Index, name)
	w.went(record.MixedTopic, w.s.accept.Read(record.Mixed{
		Origin: origin, At: w.now, User: who, Conversation: conv, Index: m.Index, N: m.N,
	}), name)
	if w.requests[name] != nil {
		at := reader{conv, who}
		w.tried[at] = append(w.tried[at], m.Index)
	}
}

// garbage puts a record into the log that nobody can process.
func (w *world) garbage() {
	conv := pick(w.rng, w.convs)
	key, n := conv[:], w.s.journal.Partitions(record.SingleTopic)
	if w.rng.IntN(5) == 0 {
		key = []byte("no conversation")
	}
	value := pick(w.rng, [][]byte{[]byte("garbage"), {}, {1, 99, 0, 0, 0, 0}, {9, 2}})
	rec := stream.Record{Partition: stream.PartitionOf(key, n), Key: key, Value: value}
	exists := w.opened[conv]
	err := w.s.journal.Append(record.SingleTopic, []stream.Record{rec}, func(err error) {
		if err == nil && exists && len(key) == len(conv) {
			w.poisoned[conv]++
		}
	})
	w.tell("garbage for %x: %v", conv[:2], err)
	if err == nil && len(key) == len(conv) {
		w.garbaged[conv]++
	}
}

// look is a client that reads.
func (w *world) look() {
	me := pick(w.rng, w.users)
	var t *task
	life := w.life
	begin := func(what string, fn func()) {
		w.tell("%s wants %s", me, what)
		t = w.begin(what, fn)
	}
	switch conv, n := pick(w.rng, w.convs), w.rng.IntN(4); n {
	case 0:
		begin("a history", func() {
			m, _, refusal := w.s.svc.History(ctx, me, conv, 0, 50)
			if refusal == nil && life == w.life {
				w.heardAll(me, m)
			}
		})
	case 1:
		begin("to resume", func() { w.resumeInbox(me) })
		t.whole = true
	case 2:
		begin("the list", func() { _, _ = w.s.svc.List(ctx, me, "", 0, 50) })
	default:
		begin("the inbox", func() {
			d, _, refusal := w.s.svc.Inbox(ctx, me, 0, 200)
			if refusal == nil && life == w.life {
				w.delivered(me, 0, d)
			}
		})
		t.whole = true
	}
	w.s.calls = append(w.s.calls, t)
	w.resume(t)
}

// resume lets a reading client go on.
func (w *world) resume(t *task) {
	if w.run(t) {
		w.s.calls = slices.DeleteFunc(w.s.calls, func(c *task) bool { return c == t })
		w.tell("%s is done", t.name)
	}
}

// resumeInbox is a client that comes back with what it had.
func (w *world) resumeInbox(me domain.UserID) {
	at, life := w.position[me], w.life
	st, missed, recovered, refusal := w.s.svc.Resume(ctx, me, at)
	if refusal != nil || life != w.life {
		return
	}
	if recovered {
		w.delivered(me, at.Inbox, missed)
		if got := at.Inbox + uint64(len(missed)); got != st.Inbox {
			w.fail("resume: %s had %d, got %d items, the newest is %d", me, at.Inbox, len(missed), st.Inbox)
		}
	}
	w.position[me] = usecase.Position{Epoch: w.s.store.Epoch(), State: st}
}
