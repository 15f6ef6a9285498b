package pipeline_test

import (
	"fmt"
	mathrand "math/rand/v2"
	"testing"

	"github.com/merchantim/merchantim/domain"
)

// poisons are records that no program of today can process.
var poisons = map[string][]byte{
	"garbage":              []byte("this is no record"),
	"empty":                nil,
	"of a later version":   {99, 1, 0, 0, 0, 0},
	"of an unknown kind":   {1, 200, 0, 0, 0, 0, 0},
	"cut off":              {1, 2, 0x80},
	"with a count too big": {1, 1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f},
}

// A poison record takes an index in its conversation, once; what comes after it
// goes on, and so do the other conversations.
func TestPoisonIsParked(t *testing.T) {
	for name, value := range poisons {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.partitions = 1
			s := m.start("bob")
			conv, other := s.talk("ann", "bob"), s.talk("ann", "eve")
			s.send(conv, "ann", "a1", "", "before")
			s.raw(conv, value)
			if a := s.send(conv, "ann", "a2", "a1", "after"); a.entry.Index != 3 || a.entry.Pre != 2 || a.entry.N != 2 {
				t.Errorf("after the poison: %+v", a.entry)
			}
			if a := s.send(other, "ann", "a1", "", "elsewhere"); a.entry.Index != 1 {
				t.Errorf("elsewhere: %+v", a.entry)
			}
			if n := s.watch.parked.Load(); n != 1 {
				t.Errorf("%d records parked, want 1", n)
			}
			if p := s.links.pushed(t, "bob", 3); p[1].item.Entry != 2 || p[1].body != `{"type":"void"}` {
				t.Errorf("the void was pushed as %+v", p[1])
			}
			want := []line{
				{1, 0, 1, "ann", "a1", "before"},
				{2, 1, 1, "", "", `{"type":"void"}`},
				{3, 2, 2, "ann", "a2", "after"},
			}
			diff(t, "history", want, s.history(conv, "bob"))
			s.stop()

			for range 2 {
				s = m.start()
				s.settle("bob", 3)
				s.settle("ann", 4)
				diff(t, "history after a restart", want, s.history(conv, "bob"))
				if in := s.inbox("bob"); len(in) != 3 || in[1].Item.Entry != 2 {
					t.Errorf("inbox of bob after a restart: %+v", in)
				}
				if rows := s.list("bob"); len(rows) != 1 || rows[0].Row.Unread() != 2 {
					t.Errorf("list of bob after a restart: %+v", rows)
				}
				s.stop()
			}
		})
	}
}

// Poison for a conversation that does not exist leaves no trace in it.
func TestPoisonBeforeTheConversation(t *testing.T) {
	m := newMachine(t)
	s := m.start()
	s.raw(domain.DirectID("ann", "bob"), []byte("garbage"))
	s.raw(domain.DirectID("ann", "bob"), []byte("more of it"))
	conv := s.talk("ann", "bob")
	s.send(conv, "ann", "a1", "", "hello")
	s.stop()
	s = m.start()
	diff(t, "history", []line{{1, 0, 1, "ann", "a1", "hello"}}, s.history(conv, "bob"))
	s.stop()
}

// A whole log of poison, replayed from its start: no commit was ever made.
func TestPoisonReplayedFromTheStart(t *testing.T) {
	m := newMachine(t)
	m.partitions = 1
	m.writer.CheckpointInterval = 1 << 50 // nothing is committed before the end
	s := m.start()
	conv := s.talk("ann", "bob")
	var want []line
	for i := uint64(1); i <= 60; i += 2 {
		s.raw(conv, fmt.Append(nil, "garbage ", i))
		s.send(conv, "bob", fmt.Sprint("b", i), "", "text")
		want = append(want, line{i, i - 1, i / 2, "", "", `{"type":"void"}`},
			line{i + 1, i, i/2 + 1, "bob", fmt.Sprint("b", i), "text"})
	}
	s.settle("ann", 60)
	m.kill(s, mathrand.New(mathrand.NewPCG(1, 2)))
	s = m.start()
	s.settle("ann", 60)
	diff(t, "history", want, s.history(conv, "ann"))
	if in := s.inbox("ann"); len(in) != 60 {
		t.Errorf("%d items in the inbox, want 60", len(in))
	}
	if rows := s.list("ann"); len(rows) != 1 || rows[0].Row.Unread() != 30 {
		t.Errorf("list: %+v", rows)
	}
	s.stop()
}

// A record that brings a defect to light is parked, its sender is told, and the
// conversation goes on as if the chain had never seen it.
func TestAPanicOfTheDecisionIsParked(t *testing.T) {
	m := newMachine(t)
	s := m.start("bob")
	conv := s.talk("ann", "bob")
	s.send(conv, "ann", "a1", "", "before")
	s.stop()

	s = m.start("bob")                                    // the entry is in the store now, and read to tell a repetition
	s.send(conv, "bob", "b1", "", "the chain is at hand") // so that only the entry is read
	s.kv.panics.Store(true)
	request := s.post(conv, "ann", "a1", "", "before")
	if a := s.links.answer(t, request); a.code != domain.Internal {
		t.Errorf("the sender was told %+v", a)
	}
	if a := s.send(conv, "ann", "a1", "", "before"); a.entry.Index != 1 {
		t.Errorf("sent again: %+v", a)
	}
	if a := s.send(conv, "ann", "a2", "a1", "after"); a.entry.Index != 4 || a.entry.N != 3 {
		t.Errorf("after the defect: %+v", a)
	}
	want := []line{
		{1, 0, 1, "ann", "a1", "before"},
		{2, 1, 2, "bob", "b1", "the chain is at hand"},
		{3, 2, 2, "", "", `{"type":"void"}`},
		{4, 3, 3, "ann", "a2", "after"},
	}
	diff(t, "history", want, s.history(conv, "bob"))
	if n := s.watch.parked.Load(); n != 1 {
		t.Errorf("%d records parked, want 1", n)
	}
	s.stop()
}
