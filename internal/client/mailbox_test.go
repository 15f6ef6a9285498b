package client

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// world is a server as a mailbox sees it: a direct conversation, and a group
// that becomes large and small again, and that the user leaves and joins.
type world struct {
	t      *rapid.T
	l      *loop
	b      *mailbox
	chains map[string][]wire.Shown
	inbox  []wire.Shown
	since  uint64 // index of the entry that brought the user into the group, 0: he is not in it
	large  bool
	must   map[string]map[uint64]bool // indices of each conversation that the user must get, and false: may get
	got    map[string]uint64          // last index handed over
}

const group = "group"

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, chains: make(map[string][]wire.Shown), got: make(map[string]uint64),
		must: map[string]map[uint64]bool{"direct": {}, group: {}},
	}
	w.start(&Memory{}, rapid.IntRange(1, 10).Draw(t, "max"))
	return w
}

// start is a new process, with what the one before kept.
func (w *world) start(store Store, queue int) {
	at, err := store.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	w.l = newLoop(nil, Options{Store: store, Queue: queue}, at, "client")
	w.b = w.l.box
	w.b.mine = func(from, _ string) bool { return from == "me" }
	w.link(false)
}

func (w *world) state() wire.Place {
	p := wire.Place{Index: uint64(len(w.inbox))}
	if w.large && w.since > 0 {
		p.Heads = uint64(len(w.chains[group]))
	}
	return p
}

// link makes a new link. A true recovery pushes what was missed.
func (w *world) link(loses bool) {
	w.b.unlinked()
	welcome := &wire.Received{User: "me", Epoch: "e", Shown: wire.Shown{Inbox: w.state()}}
	missed := w.inbox[w.b.inbox.at:]
	welcome.Recovered = welcome.Inbox.Heads == w.b.sum
	if w.b.greeted(welcome, false) {
		w.l.pending = Batch{Anew: true, User: "me", Epoch: "e"}
		w.l.saveNow(time.Now())
	}
	for i := range missed {
		if welcome.Recovered && !loses {
			w.b.pushed(&wire.Received{Type: "msg", Shown: missed[i]})
		}
	}
}

// extend adds an entry to a chain and returns its push; nil if the user gets none.
func (w *world) extend(conversation, from, content string, intoInbox, member bool) *wire.Received {
	n := uint64(len(w.chains[conversation]))
	s := wire.Shown{Conversation: conversation, Index: n + 1, Pre: n, From: from, Key: "k", Content: []byte(content)}
	w.chains[conversation] = append(w.chains[conversation], s)
	if intoInbox {
		s.Inbox = wire.Place{Index: uint64(len(w.inbox)) + 1, Pre: uint64(len(w.inbox))}
		w.inbox = append(w.inbox, s)
	}
	if !member {
		return nil
	}
	w.must[conversation][s.Index] = true
	return &wire.Received{Type: "msg", Shown: s}
}

const word = `{"type":"text","text":"x"}`

// move lets something happen on the server and returns the push.
func (w *world) move() *wire.Received {
	in := w.since > 0
	switch rapid.IntRange(0, 9).Draw(w.t, "move") {
	case 0, 1, 2:
		return w.extend("direct", "you", word, true, true)
	case 3: // switches
		w.large = !w.large
		return w.extend(group, "you", map[bool]string{true: `{"type":"diffusion","mode":"read"}`, false: `{"type":"diffusion","mode":"write"}`}[w.large], in, in)
	case 4:
		if !in {
			w.since = uint64(len(w.chains[group])) + 1
			return w.extend(group, "you", `{"type":"members","added":["me"]}`, true, true)
		}
		push := w.extend(group, "you", `{"type":"members","removed":["me"]}`, true, true)
		for index := range w.must[group] { // a gap of before is not shown any more
			if !w.inInbox(index) {
				w.must[group][index] = false
			}
		}
		w.since = 0
		return push
	default:
		return w.extend(group, "you", word, in && !w.large, in)
	}
}

func (w *world) inInbox(index uint64) bool {
	for i := range w.inbox {
		if w.inbox[i].Conversation == group && w.inbox[i].Index == index {
			return true
		}
	}
	return false
}

// own is a text of this user's on this link, whose answer may come late.
func (w *world) own() {
	conversation, in := "direct", true
	if w.since > 0 && rapid.Bool().Draw(w.t, "to the group") {
		conversation, in = group, !w.large
	}
	push := w.extend(conversation, "me", word, in, true)
	if rapid.Bool().Draw(w.t, "answered first") && push.Index > w.b.newestOf(conversation) {
		sent := push.Shown
		sent.Pre, sent.Inbox = 0, wire.Place{}
		w.b.own.add(&sent)
	}
	if rapid.Bool().Draw(w.t, "pushed") {
		w.b.pushed(&wire.Received{Type: "own", Shown: wire.Shown{Inbox: push.Inbox, Conversation: conversation, Index: push.Index}})
	}
}

// pull does what the loop does, and returns false if there was nothing to do.
func (w *world) pull(limit int) bool {
	b := w.b
	if n := b.pull(b.inbox); n > 0 {
		from := min(int(b.inbox.at), len(w.inbox))
		b.pulled(b.inbox, w.inbox[from:min(from+min(limit, n), len(w.inbox))])
		return true
	}
	for h := range b.late {
		if n := b.pull(h); n > 0 {
			if w.since == 0 {
				b.lose(h)
				return true
			}
			chain := w.chains[group]
			from := min(max(int(h.at), int(w.since)-1), len(chain))
			b.pulled(h, chain[from:min(from+min(limit, n), len(chain))])
			return true
		}
	}
	if b.wantsHeads() {
		b.asked, b.stray = b.told, false
		var heads []wire.Shown
		if w.large && w.since > 0 {
			heads = append(heads, wire.Shown{Conversation: group, Index: uint64(len(w.chains[group]))})
		}
		b.headed(heads)
		return true
	}
	return false
}

func (w *world) handOver() bool {
	if len(w.b.line) == 0 {
		return false
	}
	it := w.b.line[0]
	w.l.handedOver()
	w.l.saveNow(time.Now())
	if m := &it.message; !it.again {
		must, may := w.must[m.Conversation][m.Index]
		if !may || m.Index <= w.got[m.Conversation] || it.silent != (m.From == "me") {
			w.t.Fatalf("%s %d came after %d", m.Conversation, m.Index, w.got[m.Conversation])
		}
		w.got[m.Conversation] = m.Index
		if must {
			w.must[m.Conversation][m.Index] = false // got; a repetition is found by its order
		}
	}
	return true
}

// kept compares the store with what was handed over.
func (w *world) kept() {
	w.l.saveNow(time.Now())
	at, err := w.l.o.Store.Load()
	if err != nil || at.Index != uint64(len(w.inbox)) || at.User != "me" || at.Epoch != "e" {
		w.t.Fatalf("kept %+v, %v", at, err)
	}
	want := map[string]uint64{}
	if w.large && w.since > 0 {
		want[group] = uint64(len(w.chains[group]))
	}
	if diff := cmp.Diff(want, at.Heads); diff != "" {
		w.t.Fatal(diff)
	}
	for conversation, index := range w.got {
		if newest := w.l.o.Store.Newest(conversation); newest != index {
			w.t.Fatalf("of %s %d is kept, not %d", conversation, newest, index)
		}
	}
}

// Whatever is lost, repeated or late, and whatever becomes of the group: the
// entries come out once, each conversation in its order, and the line stays
// short.
func TestTheMailboxHasNoGap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		var pushes []*wire.Received
		for range rapid.IntRange(0, 120).Draw(t, "steps") {
			switch rapid.IntRange(0, 7).Draw(t, "step") {
			case 0, 1, 2:
				if push := w.move(); push != nil {
					pushes = append(pushes, push)
					if rapid.IntRange(0, 3).Draw(t, "lost") > 0 {
						w.b.pushed(push)
					}
				}
			case 3:
				w.own()
			case 4:
				if len(pushes) > 0 {
					w.b.pushed(pushes[rapid.IntRange(max(0, len(pushes)-5), len(pushes)-1).Draw(t, "again")])
				}
			case 5:
				w.handOver()
			case 6:
				w.pull(rapid.IntRange(1, 20).Draw(t, "limit"))
			case 7:
				switch rapid.IntRange(0, 3).Draw(t, "what") {
				case 0:
					w.link(rapid.Bool().Draw(t, "loses"))
				case 1:
					w.start(w.l.o.Store, w.b.max)
				default:
					w.b.tells(w.state())
				}
			}
			if len(w.b.line) > w.b.max {
				t.Fatalf("%d in line", len(w.b.line))
			}
		}
		for range 3 { // pongs
			w.b.tells(w.state())
			for i := 0; w.pull(5) || w.handOver(); i++ {
				if i > 2000 {
					t.Fatalf("it turns in circles: %+v", w.b)
				}
			}
		}
		for conversation, must := range w.must {
			for index, missing := range must {
				if missing {
					t.Fatalf("%s %d never came, inbox %d of %d, heads %v", conversation, index, w.b.inbox.at, len(w.inbox), fmt.Sprint(w.b.heads[group]))
				}
			}
		}
		w.kept()
		if w.b.sum != w.state().Heads || len(w.b.own) > maxOwn {
			t.Fatalf("the sum is %d, not %d", w.b.sum, w.state().Heads)
		}
	})
}
