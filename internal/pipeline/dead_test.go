package pipeline_test

import (
	"fmt"
	mathrand "math/rand/v2"
	"testing"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/usecase"
)

// letters waits until n dead letters are listed.
func (s *server) letters(n int) (all []usecase.Dead) {
	s.t.Helper()
	eventually(s.t, fmt.Sprint(n, " dead letters"), func() bool {
		var refusal *domain.Error
		if all, refusal = s.svc.DeadLetters(s.t.Context(), nil, usecase.MaxDead); refusal != nil {
			s.t.Fatal(refusal)
		}
		return len(all) >= n
	})
	if len(all) != n {
		s.t.Fatalf("%d dead letters, want %d", len(all), n)
	}
	return all
}

func (s *server) replay(letter usecase.Dead, want usecase.Replayed) {
	s.t.Helper()
	got, refusal := s.svc.Replay(s.t.Context(), letter.Place)
	if refusal != nil {
		s.t.Fatal(refusal)
	}
	want.Conversation = letter.Conversation
	diff(s.t, "replayed", want, got)
}

func (s *server) refused(letter usecase.Dead, code domain.Code) {
	s.t.Helper()
	if _, refusal := s.svc.Replay(s.t.Context(), letter.Place); refusal == nil || refusal.Code != code {
		s.t.Errorf("replay of %v: %v, want %s", letter.Place, refusal, code)
	}
}

// parked makes the message that ann sends under a key a dead letter: a defect
// comes to light when single reads the entry of an earlier key for it.
func (s *server) parked(conv domain.ConversationID, key, after, text string) {
	s.t.Helper()
	s.kv.panics.Store(true)
	if a := s.links.answer(s.t, s.post(conv, "ann", key, after, text)); a.code != domain.Internal {
		s.t.Fatalf("the sender was told %+v", a)
	}
}

// withLetter is a server with a chain of two entries, the second the void of
// a message of ann's that met a defect.
func withLetter(t *testing.T, m *machine) (*server, domain.ConversationID) {
	t.Helper()
	s := m.start()
	conv := s.talk("ann", "bob")
	s.send(conv, "ann", "a1", "", "before")
	s.stop()
	s = m.start("bob") // the first entry is in the store now, and read for its predecessor
	s.parked(conv, "a2", "a1", "late")
	return s, conv
}

// An operator finds what could not be processed, has it taken after all, and is
// told the same when he asks again, also after a restart (M56).
func TestAnOperatorReplaysADeadLetter(t *testing.T) {
	m := newMachine(t)
	s, conv := withLetter(t, m)
	s.send(conv, "bob", "b1", "", "meanwhile")
	l := s.letters(1)[0]
	if l.Conversation != conv || l.Void != 2 || l.From != "ann" || string(l.Key) != "a2" || l.Fault != "" {
		t.Errorf("the letter is %+v", l)
	}
	s.replay(l, usecase.Replayed{Index: 4})
	s.replay(l, usecase.Replayed{Index: 4, Again: true})
	s.links.wait(t, "the push of the late message", func() bool {
		p := s.links.pushes["bob"]
		return len(p) > 0 && p[len(p)-1].item.Entry == 4 && p[len(p)-1].body == "late"
	})
	if a := s.send(conv, "ann", "a2", "a1", "late"); a.entry.Index != 4 {
		t.Errorf("its sender sends it again: %+v", a)
	}
	want := []line{
		{1, 0, 1, "ann", "a1", "before"},
		{2, 1, 1, "", "", `{"type":"void"}`},
		{3, 2, 2, "bob", "b1", "meanwhile"},
		{4, 3, 3, "ann", "a2", "late"},
	}
	diff(t, "history", want, s.history(conv, "bob"))
	s.settle("bob", 4)
	s.stop()

	s = m.start()
	s.replay(s.letters(1)[0], usecase.Replayed{Index: 4, Again: true})
	diff(t, "history after a restart", want, s.history(conv, "bob"))
	s.stop()
}

// Its sender was told, and has sent it again before the operator came: nothing
// is doubled.
func TestAReplayOfWhatWasSentAgain(t *testing.T) {
	s, conv := withLetter(t, newMachine(t))
	s.send(conv, "ann", "a2", "a1", "late")
	l := s.letters(1)[0]
	s.replay(l, usecase.Replayed{Index: 3})
	s.replay(l, usecase.Replayed{Index: 3, Again: true})
	if h := s.history(conv, "bob"); len(h) != 3 {
		t.Errorf("history: %+v", h)
	}
	s.stop()
}

// What the chain refuses is refused with its reason, and may be asked for again.
func TestARefusedReplayMayBeRepeated(t *testing.T) {
	m := newMachine(t)
	s, conv := withLetter(t, m)
	s.send(conv, "ann", "a2", "a1", "something else") // the key is taken
	l := s.letters(1)[0]
	s.refused(l, domain.Conflict)
	s.refused(l, domain.Conflict)
	if v := s.letters(1)[0].Verdict; v.Done || v.Code != domain.Conflict {
		t.Errorf("the letter says %+v", v)
	}
	if a := s.send(conv, "ann", "a3", "a2", "after"); a.entry.Index != 4 {
		t.Errorf("after the refusal: %+v", a)
	}
	s.stop()
	s = m.start()
	if v := s.letters(1)[0].Verdict; v.Code != domain.Conflict {
		t.Errorf("after a restart the letter says %+v", v)
	}
	s.stop()
}

// The defect is still there: the wish is parked too, the conversation goes on,
// and the letter is replayed once the defect is mended.
func TestAReplayThatMeetsTheDefectAgain(t *testing.T) {
	m := newMachine(t)
	s, conv := withLetter(t, m)
	s.letters(1)
	s.stop()
	s = m.start()
	first := s.letters(1)[0]
	s.kv.panics.Store(true)
	s.refused(first, domain.Conflict)
	all := s.letters(2)
	s.refused(all[1], domain.Invalid) // it names no message of its own
	s.stop()
	s = m.start()
	s.replay(first, usecase.Replayed{Index: 4})
	diff(t, "history", []line{
		{1, 0, 1, "ann", "a1", "before"},
		{2, 1, 1, "", "", `{"type":"void"}`},
		{3, 2, 1, "", "", `{"type":"void"}`},
		{4, 3, 2, "ann", "a2", "late"},
	}, s.history(conv, "bob"))
	s.stop()
}

// Letters are listed page by page over all conversations, each once, the
// unreadable ones with the reason; these are not replayed.
func TestDeadLettersByPages(t *testing.T) {
	m := newMachine(t)
	s := m.start()
	for i := range 7 {
		conv := s.talk("ann", domain.UserID(fmt.Sprint("u", i)))
		s.raw(conv, fmt.Append(nil, "garbage ", i))
	}
	s.raw(domain.DirectID("nobody", "knows"), []byte("garbage"))
	all := s.letters(8)
	var pages []usecase.Dead
	for after := (*domain.Place)(nil); ; {
		page, refusal := s.svc.DeadLetters(t.Context(), after, 3)
		if refusal != nil {
			t.Fatal(refusal)
		}
		if pages = append(pages, page...); len(page) < 3 {
			break
		}
		after = &page[2].Place
	}
	diff(t, "pages", all, pages)
	voids := 0
	for _, l := range all {
		if l.Fault == "" {
			t.Errorf("%v: this program can read it", l.Place)
		}
		voids += int(l.Void)
		s.refused(l, domain.Invalid)
	}
	if voids != 7 {
		t.Errorf("%d voids, want one in each of 7 conversations", voids)
	}
	s.refused(usecase.Dead{}, domain.NotFound)
	s.stop()
}

// The power goes around a replay, at any moment: the message is there once, at
// the index that was told, or not yet, and then it is replayed.
func TestPowerLossAroundAReplay(t *testing.T) {
	for seed := range uint64(12) {
		rng := mathrand.New(mathrand.NewPCG(seed, 56))
		m := newMachine(t)
		m.eager = seed%2 == 0
		s, conv := withLetter(t, m)
		s.letters(1)
		s.stop() // the defect came to light once: without the letter the log would tell of a message
		s = m.start()
		l := s.letters(1)[0]
		told := uint64(0)
		if seed%3 > 0 {
			s.replay(l, usecase.Replayed{Index: 3})
			told = 3
		} else if refusal := s.accept.Replay(conv, 1, domain.MessageID{byte(seed), 1}, l.Place); refusal != nil {
			t.Fatal(refusal)
		}
		m.kill(s, rng)

		s = m.start()
		l = s.letters(1)[0]
		got, refusal := s.svc.Replay(t.Context(), l.Place)
		if refusal != nil || got.Index != 3 || told > 0 && !got.Again {
			t.Errorf("seed %d: after the power loss %+v, %v", seed, got, refusal)
		}
		want := []line{
			{1, 0, 1, "ann", "a1", "before"},
			{2, 1, 1, "", "", `{"type":"void"}`},
			{3, 2, 2, "ann", "a2", "late"},
		}
		diff(t, "history", want, s.history(conv, "bob"))
		s.settle("bob", 3)
		if in := s.inbox("bob"); len(in) != 3 {
			t.Errorf("seed %d: inbox of bob: %+v", seed, in)
		}
		s.stop()
	}
}

// The store cannot be read while poison and a wish come: nothing is parked that
// the store is to blame for, nobody is told anything, and when it heals all goes
// on in order (M56).
func TestTheStoreFailsAroundADeadLetter(t *testing.T) {
	m := newMachine(t)
	m.partitions = 1
	s, conv := withLetter(t, m)
	l := s.letters(1)[0]
	s.stop()
	s = m.open()
	s.kv.unreadable.Store(true)
	caught := s.run(m.batch)
	s.refused(l, domain.Unavailable)
	if refusal := s.accept.Replay(conv, 1, domain.MessageID{7}, l.Place); refusal != nil {
		t.Fatal(refusal)
	}
	s.raw(conv, []byte("garbage"))
	request := s.post(conv, "ann", "a3", "a2", "after")
	eventually(t, "failed reads", func() bool { return s.kv.refused.Load() >= 5 })
	if parked, n := s.watch.parked.Load(), len(s.links.answered()); parked != 0 || n != 0 {
		t.Errorf("%d parked and %d answers without a store to read", parked, n)
	}
	s.kv.unreadable.Store(false)
	if a := s.links.answer(t, request); a.entry.Index != 5 || a.code != "" {
		t.Errorf("after it healed: %+v", a)
	}
	<-caught
	s.replay(l, usecase.Replayed{Index: 3, Again: true})
	if all := s.letters(2); all[1].Void != 4 {
		t.Errorf("the second letter is %+v", all[1])
	}
	diff(t, "history", []line{
		{1, 0, 1, "ann", "a1", "before"},
		{2, 1, 1, "", "", `{"type":"void"}`},
		{3, 2, 2, "ann", "a2", "late"},
		{4, 3, 2, "", "", `{"type":"void"}`},
		{5, 4, 3, "ann", "a3", "after"},
	}, s.history(conv, "bob"))
	s.stop()
}
