package pipeline_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/usecase"
)

// line is a message as a story tells it.
type line struct {
	Index, Pre, N uint64
	From          domain.UserID
	Key, Body     string
}

func (s *server) history(conv domain.ConversationID, me domain.UserID) (lines []line) {
	s.t.Helper()
	for after := uint64(0); ; {
		page, more, refusal := s.svc.HistoryAfter(s.t.Context(), me, conv, after, 200)
		if refusal != nil {
			s.t.Fatal(refusal)
		}
		for _, m := range page {
			lines = append(lines, line{m.Index, m.Pre, m.N, m.From, string(m.Key), string(m.Body)})
			after = m.Index
		}
		if !more {
			return lines
		}
	}
}

func (s *server) inbox(me domain.UserID) (all []usecase.Delivery) {
	s.t.Helper()
	for after := uint64(0); ; after = all[len(all)-1].Item.Index {
		page, newest, refusal := s.svc.Inbox(s.t.Context(), me, after, 100)
		if refusal != nil {
			s.t.Fatal(refusal)
		}
		all = append(all, page...)
		if len(page) == 0 || all[len(all)-1].Item.Index == newest {
			return all
		}
	}
}

func (s *server) list(me domain.UserID) (all []listed) {
	s.t.Helper()
	for cursor := ""; ; {
		page, refusal := s.svc.List(s.t.Context(), me, cursor, 0, 2)
		if refusal != nil {
			s.t.Fatal(refusal)
		}
		all = append(all, page.Rows...)
		if cursor = page.Cursor; cursor == "" {
			return all
		}
	}
}

func diff(t testing.TB, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestTwoPeopleChat(t *testing.T) {
	m := newMachine(t)
	s := m.start("ann", "bob")
	conv := s.talk("ann", "bob")
	if again := s.talk("bob", "ann"); again != conv {
		t.Errorf("opened from the other side: %x, want %x", again, conv)
	}
	first := s.send(conv, "ann", "a1", "", "hello")
	second := s.send(conv, "bob", "b1", "", "hi ann")
	if first.entry.Index != 1 || second.entry.Index != 2 || second.entry.Pre != 1 {
		t.Fatalf("answers: %+v, %+v", first.entry, second.entry)
	}
	want := []line{{1, 0, 1, "ann", "a1", "hello"}, {2, 1, 2, "bob", "b1", "hi ann"}}
	for _, u := range []domain.UserID{"ann", "bob"} {
		pushes := s.links.pushed(t, u, 2)
		for i, p := range pushes {
			if p.item.Index != uint64(i+1) || p.item.Pre != uint64(i) || p.item.Entry != want[i].Index || p.body != want[i].Body {
				t.Errorf("push %d to %s: %+v", i, u, p)
			}
		}
		diff(t, "history of "+string(u), want, s.history(conv, u))
		if in := s.inbox(u); len(in) != 2 || string(in[1].Message.Body) != "hi ann" {
			t.Errorf("inbox of %s: %+v", u, in)
		}
	}
	s.stop()

	s = m.start()
	diff(t, "history after a restart", want, s.history(conv, "ann"))
	if third := s.send(conv, "ann", "a2", "a1", "back"); third.entry.Index != 3 || third.entry.N != 3 {
		t.Errorf("after a restart: %+v", third.entry)
	}
	s.stop()
}

func TestTheSameKeyAgain(t *testing.T) {
	m := newMachine(t)
	s := m.start()
	conv := s.talk("ann", "bob")
	first := s.send(conv, "ann", "k", "", "one")
	check := func(s *server) {
		t.Helper()
		diff(t, "the same again", first.entry, s.send(conv, "ann", "k", "", "one").entry)
		if got := s.send(conv, "ann", "k", "", "two").code; got != domain.Conflict {
			t.Errorf("other content under the same key: %q", got)
		}
	}
	check(s)
	if other := s.send(conv, "bob", "k", "", "two"); other.entry.Index != 2 {
		t.Errorf("the key of another sender is another key: %+v", other)
	}
	s.stop()
	s = m.start()
	check(s)
	if n := len(s.history(conv, "bob")); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
	s.stop()
}

func TestPredecessors(t *testing.T) {
	s := newMachine(t).start()
	conv := s.talk("ann", "bob")
	if got := s.send(conv, "ann", "a2", "a1", "second").code; got != domain.PredecessorMissing {
		t.Fatalf("before its predecessor: %q", got)
	}
	s.send(conv, "bob", "a1", "", "the key of somebody else")
	if got := s.send(conv, "ann", "a2", "a1", "second").code; got != domain.PredecessorMissing {
		t.Fatalf("the predecessor of somebody else: %q", got)
	}
	s.send(conv, "ann", "a1", "", "first")
	if got := s.send(conv, "ann", "a2", "a1", "second"); got.entry.Index != 3 {
		t.Fatalf("after its predecessor: %+v", got)
	}
	s.stop()
}

func TestPipelinedSendsKeepTheirOrder(t *testing.T) {
	s := newMachine(t).start("bob")
	conv := s.talk("ann", "bob")
	var requests []string
	var want []line
	for i := range uint64(600) {
		after := ""
		if i > 0 {
			after = fmt.Sprint("k", i-1)
		}
		key, body := fmt.Sprint("k", i), fmt.Sprint("message ", i)
		requests = append(requests, s.post(conv, "ann", key, after, body))
		want = append(want, line{i + 1, i, i + 1, "ann", key, body})
	}
	for i, r := range requests {
		if a := s.links.answer(t, r); a.entry.Index != uint64(i+1) {
			t.Fatalf("send %d: %+v", i, a)
		}
	}
	diff(t, "history", want, s.history(conv, "bob"))
	for i, p := range s.links.pushed(t, "bob", len(want)) {
		if p.body != want[i].Body || p.item.Index != uint64(i+1) {
			t.Fatalf("push %d: %+v", i, p)
		}
	}
	s.stop()
}

func TestWhoMaySend(t *testing.T) {
	s := newMachine(t).start()
	conv := s.talk("ann", "bob")
	if got := s.send(conv, "eve", "e1", "", "let me in").code; got != domain.Forbidden {
		t.Errorf("a stranger: %q", got)
	}
	if got := s.send(domain.DirectID("ann", "eve"), "ann", "a1", "", "anyone?").code; got != domain.NotFound {
		t.Errorf("no conversation: %q", got)
	}
	if _, _, refusal := s.svc.History(t.Context(), "eve", conv, 0, 10); refusal == nil || refusal.Code != domain.Forbidden {
		t.Errorf("history of a stranger: %v", refusal)
	}
	if in := s.inbox("eve"); len(in) != 0 {
		t.Errorf("inbox of a stranger: %+v", in)
	}
	if got := s.send(conv, "ann", "a1", "", "alone").entry.Index; got != 1 {
		t.Errorf("refusals took an index: the first message has %d", got)
	}
	s.stop()
}

func TestReadPositionsAndUnread(t *testing.T) {
	m := newMachine(t)
	s := m.start()
	conv := s.talk("ann", "bob")
	row := func(me domain.UserID) listed {
		t.Helper()
		rows := s.list(me)
		if len(rows) != 1 || rows[0].Conversation != conv {
			t.Fatalf("list of %s: %+v", me, rows)
		}
		return rows[0]
	}
	for i := range 5 {
		s.send(conv, "ann", fmt.Sprint("a", i), "", "text")
	}
	s.settle("bob", 5)
	s.settle("ann", 5)
	unread := func(me domain.UserID, want uint64) {
		t.Helper()
		r := row(me).Row
		if r.Unread() != want {
			t.Errorf("unread of %s: %d, want %d (%+v)", me, r.Unread(), want, r)
		}
	}
	unread("bob", 5)
	unread("ann", 0)
	s.read(conv, "bob", 3)
	unread("bob", 2)
	s.read(conv, "bob", 2) // not backwards
	unread("bob", 2)
	s.stop()
	s = m.start()
	unread("bob", 2)
	s.send(conv, "bob", "b0", "", "an answer has seen all before it")
	s.settle("bob", 6)
	s.settle("ann", 6)
	unread("bob", 0)
	unread("ann", 1)
	if r := row("bob").Row; r.With != "ann" || r.Index != 6 || r.N != 6 || r.Read != 3 {
		t.Errorf("row of bob: %+v", r)
	}
	s.stop()
}

func TestTheListIsNewestFirst(t *testing.T) {
	m := newMachine(t)
	s := m.start()
	var convs []domain.ConversationID
	for i := range 5 {
		conv := s.talk("ann", domain.UserID(fmt.Sprint("u", i)))
		convs = append(convs, conv)
		s.sendAt(conv, "ann", fmt.Sprint("k", i), int64(1_000_000+i*1000))
	}
	s.sendAt(convs[1], "ann", "again", 2_000_000)
	s.settle("ann", 6)
	want := []domain.ConversationID{convs[1], convs[4], convs[3], convs[2], convs[0]}
	order := func() (got []domain.ConversationID) {
		for _, r := range s.list("ann") {
			got = append(got, r.Conversation)
		}
		return got
	}
	diff(t, "order, filled from the store", want, order())
	s.sendAt(convs[3], "u3", "newer", 3_000_000)
	s.settle("ann", 7)
	want = []domain.ConversationID{convs[3], convs[1], convs[4], convs[2], convs[0]}
	eventually(t, "order, kept by the list stage", func() bool { return cmp.Equal(want, order()) })
	s.stop()
	s = m.start()
	diff(t, "order after a restart", want, order())
	s.stop()
}

type listed = usecase.Listed
