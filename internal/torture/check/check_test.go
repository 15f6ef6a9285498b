package check

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// busy is a flawless history with everything in it: pipelining, lost links,
// retries, refusals, reads with and without answer.
func busy(t *testing.T) *world {
	w := newWorld(t)
	w.say("alice", ab, "a1", "")
	w.say("alice", ab, "a2", "a1")
	w.say("bob", ab, "b1", "")
	w.say("carol", ac, "c1", "")
	w.read("alice", ac, 1)

	// alice pipelines two, the first is refused for load, the second for the
	// first; then both again.
	a3 := w.intend("alice", sendFrame(ab, "a3", "a2", "text of a3"))
	a4 := w.intend("alice", sendFrame(ab, "a4", "a3", "text of a4"))
	w.tell("alice", trail.Event{Kind: trail.In, Frame: trail.Frame{Type: "error", ID: a3.ID, Code: "overloaded", Retry: true}})
	w.tell("alice", trail.Event{Kind: trail.In, Frame: trail.Frame{Type: "error", ID: a4.ID, Code: "predecessor_missing"}})
	for _, f := range []trail.Frame{a3, a4} {
		f.ID = w.id()
		w.tell("alice", trail.Event{Kind: trail.Out, Frame: f})
		e := w.store("alice", f)
		w.tell("alice", trail.Event{Kind: trail.In, Frame: receiptOf(f.ID, e)})
	}

	// bob's link dies with a send and a read unanswered; the send was stored.
	b2 := w.intend("bob", sendFrame(ab, "b2", "b1", "text of b2"))
	e := w.store("bob", b2)
	w.tell("bob", trail.Event{Kind: trail.Out, Frame: trail.Frame{Type: "read", ID: "r", Entry: trail.Entry{Conversation: ab, Index: 5}}})
	w.tell("bob", trail.Event{Kind: trail.Down})
	w.connect("bob")
	b2.ID = w.id()
	w.tell("bob", trail.Event{Kind: trail.Out, Frame: b2})
	w.tell("bob", trail.Event{Kind: trail.In, Frame: receiptOf(b2.ID, e)})

	// deliberate mistakes
	for x, code := range map[trail.Expect]string{
		trail.Refused: "predecessor_missing", trail.Clash: "conflict", trail.Foreign: "forbidden", trail.Invalid: "invalid",
	} {
		w.mistake("carol", x, trail.Frame{Type: "error", Code: code})
	}
	// one that was never answered and never stored
	w.intend("carol", sendFrame(ac, "c2", "c1", "text of c2"))

	w.say("alice", ab, "a5", "a4")
	w.history("alice", ab, 0)
	w.history("bob", ab, 4)
	w.pull("bob", 2)
	w.read("alice", ab, 2)
	w.finish()
	return w
}

func (w *world) mistake(user string, x trail.Expect, answer trail.Frame) {
	f := sendFrame(ac, "bad-"+string(x), "", "never "+string(x))
	f.ID = w.id()
	answer.ID = f.ID
	w.tell(user, trail.Event{Kind: trail.Intent, Expect: x, Frame: f})
	w.tell(user, trail.Event{Kind: trail.Out, Frame: f})
	w.tell(user, trail.Event{Kind: trail.In, Frame: answer})
}

func TestCleanHistory(t *testing.T) {
	v := busy(t).judge()
	if !v.Clean() {
		t.Fatalf("a flawless history was blamed: %v\n%v", v.Counts, v.Findings)
	}
	if !Settled(busy(t).state) {
		t.Error("it has settled")
	}
	got := [...]int{v.Intended, v.Acked, v.Stored, v.Entries, v.Refused}
	if want := [...]int{9, 8, 8, 16, 5}; got != want {
		t.Errorf("intended, acked, stored, entries, refused: got %v, want %v", got, want)
	}
}

// Each corruption is found, and the field that names it is among those not zero.
func TestCorruptions(t *testing.T) {
	for _, c := range corruptions {
		t.Run(c.name, func(t *testing.T) {
			w := busy(t)
			c.corrupt(w)
			blamed(t, w.judge(), c.field, c.also)
		})
	}
}

// blamed wants a verdict against a field, and against none but those of also.
func blamed(t *testing.T, v Verdict, field Field, also []Field) {
	t.Helper()
	if v.Counts[field] == 0 {
		t.Fatalf("%s is 0: %v", field, v.Counts)
	}
	var fields []Field
	for _, f := range Fields() {
		if v.Counts[f] > 0 && f != field && !slices.Contains(also, f) {
			fields = append(fields, f)
		}
	}
	if len(fields) > 0 {
		t.Errorf("also blamed %v: %v", fields, v.Findings)
	}
	if len(v.Findings) == 0 || v.Findings[0].Text == "" {
		t.Error("nothing said about it")
	}
}

func TestUnreadableTrail(t *testing.T) {
	broken := errors.New("disk gone")
	_, err := Run([]Trail{{User: "alice", Events: func(yield func(trail.Event, error) bool) {
		yield(trail.Event{}, broken)
	}}}, newWorld(t).state)
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// A read without an answer may have counted: both lists are right, a third is not.
func TestReadOutcomeUnknown(t *testing.T) {
	for read, clean := range map[int64]bool{6: true, 5: false, 7: false} {
		w := newWorld(t)
		for _, key := range []string{"a1", "a2", "a3", "a4", "a5", "a6", "a7"} {
			w.say("alice", ab, key, "")
		}
		w.read("bob", ab, 3)
		w.tell("bob", trail.Event{Kind: trail.Out, Frame: trail.Frame{Type: "read", ID: "x", Entry: trail.Entry{Conversation: ab, Index: 6}}})
		w.tell("bob", trail.Event{Kind: trail.Down})
		w.finish()
		if v := w.judge(); !v.Clean() {
			t.Fatalf("not counted: %v", v.Findings)
		}
		w.state.Lists["bob"][0].Read, w.state.Lists["bob"][0].Unread = read, 7-read
		if v := w.judge(); v.Clean() != clean {
			t.Errorf("read up to %d: clean %v, want %v: %v", read, v.Clean(), clean, v.Findings)
		}
	}
}

func TestFindingsOfOneSubjectCountOnce(t *testing.T) {
	many := make([]Finding, 0, 60)
	for i := range 30 {
		f := Finding{Field: Lost, Subject: string(rune('a' + i)), Text: "gone"}
		many = append(many, f, f)
	}
	counts, kept := judge(many)
	if counts[Lost] != 30 || len(kept) != shown {
		t.Errorf("counted %d, shown %d", counts[Lost], len(kept))
	}
	if diff := cmp.Diff(many[0], kept[0]); diff != "" {
		t.Error(diff)
	}
}
