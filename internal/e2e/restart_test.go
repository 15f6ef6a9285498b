package e2e

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

func TestARestartKeepsAll(t *testing.T) {
	s := serve(t)
	alice := s.enter("alice")
	s.enter("bob")
	id := alice.open("bob")
	first := alice.send(id, "k1", "one")
	alice.send(id, "k2", "two")
	alice.reach(2)
	epoch, history, inbox := s.welcome("alice").Epoch, alice.before(id, 0, 0).Messages, alice.inbox(0, 0).Entries

	s = s.again()
	alice = s.enter("alice")
	if w := s.welcome("alice"); w.Epoch != epoch || w.Inbox.Index != 2 {
		t.Errorf("welcome %+v, the epoch was %s", w, epoch)
	}
	if diff := cmp.Diff(history, alice.before(id, 0, 0).Messages); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(inbox, alice.inbox(0, 0).Entries); diff != "" {
		t.Error(diff)
	}
	if again := alice.send(id, "k1", "one"); again.Message != first.Message || again.Index != 1 || again.At != first.At {
		t.Errorf("the same send again: %+v, first %+v", again, first)
	}
	if next := alice.send(id, "k3", "three"); next.Index != 3 || next.N != 3 {
		t.Errorf("numbering goes on with %+v", next)
	}
	if opened := alice.open("bob"); opened != id {
		t.Errorf("the conversation is %s now", opened)
	}
}

func (s *server) welcome(user string) *wire.Received {
	s.t.Helper()
	l := s.dial()
	return l.hello(s.token(user), "greeter")
}

func TestAGracefulStopSendsEveryoneAway(t *testing.T) {
	s := serve(t)
	alice, bob, silent := s.enter("alice"), s.enter("bob"), s.dial()
	s.stop()
	for _, l := range []*link{alice, bob, silent} {
		l.closed(wire.CloseGoingAway)
	}
	if err := s.end(); err != nil {
		t.Errorf("the end: %v", err)
	}
	if _, err := tryDial(t, s.Addr(), wire.Subprotocol, nil); err == nil {
		t.Error("a stopped server takes connections")
	}
}

// A server is killed while messages flow, several times. What it answered is
// there afterwards, at its place, once; what it did not answer is stored by
// sending it again, once.
func TestAKilledServerKeepsWhatItAnswered(t *testing.T) {
	data := t.TempDir()
	c := spawn(t, data)
	join := func(user string) *link {
		l := dial(t, c.addr)
		l.hello(tokenFor(t, data, user, patience), "device")
		return l
	}
	join("bob")
	alice := join("alice")
	id := alice.open("bob")
	sent := make(map[string]*wire.Received)
	const rounds, each = 4, 150
	for round := range rounds {
		alice = join("alice")
		for i := range (round + 1) * each { // all from before again, then new ones
			key := fmt.Sprint("k", i)
			alice.write(wire.AppendSend(nil, key, id, key, "", "text of "+key))
			if i%50 == 49 {
				alice.take(50, sent)
			}
		}
		alice.write(wire.AppendSend(nil, "last", id, fmt.Sprint("k", (round+1)*each), "", fmt.Sprint("text of k", (round+1)*each)))
		c.kill() // with one under way
		c = spawn(t, data)
	}
	alice = join("alice")
	last := fmt.Sprint("k", rounds*each)
	sent[last] = alice.send(id, last, "text of "+last)
	alice.reach(uint64(len(sent)))
	if page := alice.inbox(uint64(len(sent)-1), 0); len(page.Entries) != 1 || page.Entries[0].Key != last {
		t.Errorf("the inbox ends with %+v", page.Entries)
	}
	var n uint64
	for from, more := uint64(0), true; more; {
		page := alice.after(id, from, 200)
		for _, m := range page.Messages {
			n, from = n+1, m.Index
			answer := sent[m.Key]
			if answer == nil || answer.Index != m.Index || answer.Message != m.Message || m.Index != n {
				t.Errorf("entry %d is %s at %d; answered was %+v", n, m.Key, m.Index, answer)
			}
		}
		more = page.More
	}
	if n != uint64(len(sent)) || n != rounds*each+1 {
		t.Errorf("%d entries, %d answers", n, len(sent))
	}
}

// take reads n answers to sends; one given before must be given again.
func (l *link) take(n int, sent map[string]*wire.Received) {
	l.t.Helper()
	for n > 0 {
		f := l.frame()
		if f.Type != "sent" {
			continue
		}
		n--
		if before := sent[f.Key]; before != nil && (before.Index != f.Index || before.Message != f.Message) {
			l.t.Fatalf("%s was answered with %d, now with %d", f.Key, before.Index, f.Index)
		}
		sent[f.Key] = f
	}
}
