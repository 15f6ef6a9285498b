package check

import (
	"fmt"
	"iter"

	"github.com/merchantim/merchantim/internal/torture/keep"
	"github.com/merchantim/merchantim/internal/torture/trail"
)

// request is one that has no answer yet.
type request struct {
	frame  trail.Frame
	expect trail.Expect
	t      int64
	change *change // of a change
}

// walk reads one trail and compares what the client was told with the book.
type walk struct {
	b    *book
	user string

	requests map[string]request      // by frame id, of the link that is up
	expects  map[string]trail.Expect // by frame id, of deliberate intents not yet sent
	pushedTo int64                   // newest inbox index pushed or welcomed on this link; -1: no welcome yet

	owed int64      // inbox index up to which a recovered welcome said that all follows; 0: paid
	copy *keep.Copy // what the client keeps

	atEnd bool // the client has everything, and nothing is under way

	followedTo  map[string]map[int64]bool // by large group, on this link
	followedMax map[string]int64

	intents  map[ident]intent
	acks     map[ident]receipt
	known    map[place]int64
	reads    []reading
	pages    []asked
	inboxes  []fact // places of the inbox that the client was told
	creates  []creation
	changes  []*change
	later    []func(*history) []Finding // judged when all trails are read
	findings []Finding
	pushed   int
	repeats  int
	claims   int
	refused  int
}

func newWalk(b *book, user string) *walk {
	return &walk{
		b: b, user: user, pushedTo: -1, copy: keep.New(user),
		followedTo: map[string]map[int64]bool{}, followedMax: map[string]int64{},
		requests: map[string]request{}, expects: map[string]trail.Expect{},
		intents: map[ident]intent{}, acks: map[ident]receipt{}, known: map[place]int64{},
	}
}

func (w *walk) run(events iter.Seq2[trail.Event, error]) error {
	for ev, err := range events {
		if err != nil {
			return err
		}
		w.event(ev)
	}
	w.linkDown()
	return nil
}

func (w *walk) event(ev trail.Event) {
	switch ev.Kind {
	case trail.Intent:
		w.intend(ev)
	case trail.Out:
		w.out(ev)
	case trail.In:
		w.in(ev)
	case trail.Bad:
		w.wrong(ev, "bad frame "+ev.Where.String(), "received what is no frame of the protocol: %.200s", ev.Note)
	case trail.Up:
		w.linkDown()
	case trail.Down:
		w.down(ev)
	case trail.Whole:
		w.kept(ev)
		w.atEnd = true
	}
}

func (w *walk) intend(ev trail.Event) {
	f := ev.Frame
	if ev.Expect != trail.Accept {
		w.expects[f.ID] = ev.Expect
		return
	}
	w.intents[ident{f.Conversation, w.user, f.Key}] = intent{
		after: f.AfterKey(), text: f.Text(), t: ev.T, where: ev.Where,
	}
}

func (w *walk) out(ev trail.Event) {
	expect, ok := w.expects[ev.Frame.ID]
	if !ok && ev.Frame.Type != "send" {
		expect = trail.Open
	}
	delete(w.expects, ev.Frame.ID)
	req := request{frame: ev.Frame, expect: expect, t: ev.T}
	switch ev.Frame.Type {
	case "create":
		if expect == trail.Open {
			w.creates = append(w.creates, creation{w.user, ev.Frame.Title, founders(w.user, ev.Frame), ev.Where})
		}
	case "change":
		req.change = &change{user: w.user, frame: ev.Frame, t: ev.T, where: ev.Where}
		w.changes = append(w.changes, req.change)
	}
	w.requests[ev.Frame.ID] = req
}

// down is the end of a link. Codes that blame the client are wrong: it keeps
// to the protocol.
func (w *walk) down(ev trail.Event) {
	switch ev.Code {
	case 1002, 1003, 1007, 1008, 1009, 4400, 4401, 4408, 4409, 4429:
		w.wrong(ev, fmt.Sprint("close ", ev.Code, " ", ev.Where), "the server closed the link with code %d: %s", ev.Code, ev.Note)
	}
	w.linkDown()
}

// linkDown leaves what was not answered open for ever.
func (w *walk) linkDown() {
	for _, r := range w.requests {
		if r.frame.Type == "read" {
			w.reads = append(w.reads, reading{w.user, r.frame.Conversation, r.frame.Index, false})
		}
	}
	clear(w.requests)
	w.copy.Broken()
	clear(w.followedTo)
	clear(w.followedMax)
	w.pushedTo, w.owed = -1, 0
}

func (w *walk) found(field Field, subject string, at trail.Where, format string, args ...any) {
	w.findings = append(w.findings, Finding{field, subject, fmt.Sprintf(format, args...), at})
}

// wrong is a finding against WrongAnswers.
func (w *walk) wrong(ev trail.Event, subject, format string, args ...any) {
	w.found(WrongAnswers, subject, ev.Where, format, args...)
}
