package check

import (
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/merchantim/merchantim/internal/torture/keep"
	"github.com/merchantim/merchantim/internal/torture/trail"
)

// world is a small flawless server and its clients: what happens in it is told
// in the clients' trails, as the real ones would tell it.
type world struct {
	t       *testing.T
	clock   int64
	ids     int
	state   State
	trails  map[string][]trail.Event
	reads   map[seat]int64
	crowds  map[string]*crowd
	offline map[string]bool
	copies  map[string]*keep.Copy
}

const (
	ab = "conversation-ab"
	ac = "conversation-ac"
)

// newWorld has alice talking with bob and with carol; all have a link.
func newWorld(t *testing.T) *world {
	w := &world{t: t, trails: map[string][]trail.Event{}, reads: map[seat]int64{}, offline: map[string]bool{}, crowds: map[string]*crowd{},
		copies: map[string]*keep.Copy{}, state: State{
			Epoch:         "e1",
			Large:         largeSize,
			Groups:        map[string]string{},
			Ends:          map[string]End{},
			Conversations: map[string][2]string{ab: {"alice", "bob"}, ac: {"alice", "carol"}},
			Chains:        map[string][]trail.Entry{},
			Inboxes:       map[string][]trail.Entry{"alice": nil, "bob": nil, "carol": nil, "dave": nil, "erin": nil},
			Lists:         map[string][]trail.Row{},
		}}
	for _, user := range everybody {
		w.copies[user] = keep.New(user)
		w.connect(user)
	}
	return w
}

func (w *world) tell(user string, ev trail.Event) {
	w.clock++
	ev.T = w.clock
	ev.Where = trail.Where{File: user, Line: len(w.trails[user]) + 1}
	w.trails[user] = append(w.trails[user], ev)
}

func (w *world) id() string { w.ids++; return fmt.Sprint(w.ids) }

func (w *world) ask(user string, req, answer trail.Frame) {
	req.ID = w.id()
	answer.ID = req.ID
	w.tell(user, trail.Event{Kind: trail.Out, Frame: req})
	w.tell(user, trail.Event{Kind: trail.In, Frame: answer})
}

func (w *world) connect(user string) {
	w.tell(user, trail.Event{Kind: trail.Up})
	w.ask(user, trail.Frame{Type: "hello"}, trail.Frame{Type: "welcome", User: user, Epoch: "e1", Entry: trail.Entry{Inbox: w.newest(user)}})
}

func sendFrame(conv, key, after, text string) trail.Frame {
	return trail.Frame{Type: "send", After: trail.KeyRef(after), Entry: trail.Entry{
		Conversation: conv, Key: key, Content: &trail.Content{Type: "text", Text: text}}}
}

func (w *world) intend(user string, f trail.Frame) trail.Frame {
	f.ID = w.id()
	w.tell(user, trail.Event{Kind: trail.Intent, Frame: f})
	w.tell(user, trail.Event{Kind: trail.Out, Frame: f})
	return f
}

// place gives an entry its place in the chain.
func (w *world) place(e trail.Entry, count int64) trail.Entry {
	chain := w.state.Chains[e.Conversation]
	e.Index, e.Pre, e.N, e.At = int64(len(chain)+1), int64(len(chain)), count, 1000+w.clock
	if len(chain) > 0 {
		e.N += chain[len(chain)-1].N
	}
	e.Message = fmt.Sprint("m-", e.Conversation, "-", e.Key)
	if e.Key == "" {
		e.Message += fmt.Sprint(e.Index)
	}
	w.state.Chains[e.Conversation] = append(chain, e)
	return e
}

// deliver puts an entry into users' inboxes, or beside them, and pushes it; to
// its sender, if from is one, as own.
func (w *world) deliver(e trail.Entry, from string, users []string, inbox bool) {
	for _, user := range users {
		shown := e
		if in := w.state.Inboxes[user]; inbox {
			shown.Inbox = &trail.Place{Index: int64(len(in) + 1), Pre: int64(len(in))}
			w.state.Inboxes[user] = append(in, shown)
		}
		push := trail.Frame{Type: "msg", Entry: shown}
		if user == from {
			push = trail.Frame{Type: "own", Entry: trail.Entry{Inbox: shown.Inbox, Conversation: e.Conversation, Index: e.Index}}
		}
		if !w.offline[user] {
			w.tell(user, trail.Event{Kind: trail.In, Frame: push})
			w.copies[user].Push(push)
		}
	}
}

// store gives a message its place in the chain and in the inboxes and pushes it.
func (w *world) store(user string, f trail.Frame) trail.Entry {
	e := w.place(trail.Entry{Conversation: f.Conversation, From: user, Key: f.Key, Content: f.Content}, 1)
	if c := w.crowds[f.Conversation]; c != nil {
		w.deliver(e, user, c.members, !c.large)
		return e
	}
	pair := w.state.Conversations[f.Conversation]
	w.deliver(e, user, pair[:], true)
	return e
}

func receiptOf(id string, e trail.Entry) trail.Frame {
	return trail.Frame{Type: "sent", ID: id, Entry: trail.Entry{Conversation: e.Conversation, Key: e.Key,
		Message: e.Message, Index: e.Index, N: e.N, At: e.At}}
}

// say is a send with its receipt.
func (w *world) say(user, conv, key, after string) trail.Entry {
	f := w.intend(user, sendFrame(conv, key, after, "text of "+key))
	e := w.store(user, f)
	w.tell(user, trail.Event{Kind: trail.In, Frame: receiptOf(f.ID, e)})
	return e
}

func (w *world) read(user, conv string, index int64) {
	w.ask(user, trail.Frame{Type: "read", Entry: trail.Entry{Conversation: conv, Index: index}}, trail.Frame{Type: "done"})
	s := seat{user, conv}
	w.reads[s] = max(w.reads[s], index)
}

func (w *world) history(user, conv string, before int64) {
	chain := w.state.Chains[conv]
	if before > 0 {
		chain = chain[:before-1]
	}
	page := chain[max(0, len(chain)-3):]
	w.ask(user, trail.Frame{Type: "history", Before: before, Limit: 3, Entry: trail.Entry{Conversation: conv}},
		trail.Frame{Type: "messages", Messages: slices.Clone(page), More: len(chain) > 3, Entry: trail.Entry{Conversation: conv}})
}

func (w *world) pull(user string, after int64) {
	in := w.state.Inboxes[user]
	w.ask(user, trail.Frame{Type: "inbox", After: trail.IndexRef(after)},
		trail.Frame{Type: "entries", Entries: slices.Clone(in[after:]), Newest: int64(len(in))})
}

// finish makes the lists and the ends.
func (w *world) finish() {
	w.finishGroups()
	for conv, members := range w.state.Conversations {
		chain := w.state.Chains[conv]
		if len(chain) == 0 {
			continue
		}
		newest := chain[len(chain)-1]
		for i, user := range members {
			read := w.reads[seat{user, conv}]
			for _, e := range chain {
				if e.From == user {
					read = max(read, e.Index)
				}
			}
			w.state.Lists[user] = append(w.state.Lists[user], trail.Row{Conversation: conv, With: members[1-i],
				Index: newest.Index, N: newest.N, Read: read, Unread: newest.N - read, At: newest.At})
		}
	}
	for _, rows := range w.state.Lists {
		slices.SortFunc(rows, func(a, b trail.Row) int { return int(b.At - a.At) })
	}
}

func (w *world) judge() Verdict {
	w.t.Helper()
	var trails []Trail
	for user, events := range w.trails {
		trails = append(trails, Trail{User: user, Events: seq(events)})
	}
	v, err := Run(trails, w.state)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func seq(events []trail.Event) iter.Seq2[trail.Event, error] {
	return func(yield func(trail.Event, error) bool) {
		for _, ev := range events {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// edit changes the last event of a user that fits.
func (w *world) edit(user string, fits func(trail.Event) bool, change func(*trail.Event)) {
	w.t.Helper()
	events := w.trails[user]
	for i := len(events) - 1; i >= 0; i-- {
		if fits(events[i]) {
			change(&events[i])
			return
		}
	}
	w.t.Fatal("no event to edit")
}

func received(kind string) func(trail.Event) bool {
	return func(ev trail.Event) bool { return ev.Kind == trail.In && ev.Frame.Type == kind }
}
