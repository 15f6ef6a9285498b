package e2e

import (
	"fmt"
	"testing"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// resume connects a user who tells where he was.
func (s *server) resume(user, epoch string, index, heads uint64) (*link, *wire.Received) {
	s.t.Helper()
	l := s.dial()
	id := l.id()
	l.write(wire.AppendHelloAt(nil, id, s.token(user), "device", epoch, index, heads))
	welcome := l.answer(id, "welcome")
	return l, welcome
}

// A link breaks, messages come, and the next link brings exactly those (X3).
func TestALinkGoesOnWhereAnotherEnded(t *testing.T) {
	s := serve(t)
	alice := s.enter("alice")
	s.enter("bob")
	id := alice.open("bob")
	for i := range 5 {
		alice.send(id, fmt.Sprint("a", i), fmt.Sprint("text ", i))
	}
	alice.reach(5)
	_, welcome := s.resume("bob", "", 0, 0)
	if welcome.Recovered {
		t.Error("recovered without an epoch")
	}
	bob, welcome := s.resume("bob", welcome.Epoch, 2, 0)
	if !welcome.Recovered || welcome.Inbox.Index != 5 {
		t.Fatalf("welcome %+v", welcome)
	}
	for i := uint64(3); i <= 5; i++ {
		if push := bob.says(i, fmt.Sprint("text ", i-1)); push.Inbox != (wire.Place{Index: i, Pre: i - 1}) {
			t.Errorf("missed %+v", push.Inbox)
		}
	}
	alice.send(id, "later", "later")
	bob.says(6, "later")
	if _, welcome := s.resume("bob", welcome.Epoch, 6, 0); !welcome.Recovered {
		t.Error("nothing was missed, and it is not recovered")
	}
}

// It is recovered only if it is whole: not from another numbering, not from a
// place that the server never gave out, not over a gap that is too long, not
// with a head that has moved.
func TestPartialRecoveryIsNotCalledWhole(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Limits.LargeGroupSize = 2 })
	alice := s.enter("alice")
	s.enter("bob")
	s.enter("carol")
	id := alice.open("bob")
	for i := range 501 {
		alice.write(wire.AppendSend(nil, fmt.Sprint("s", i), id, fmt.Sprint("a", i), "", "text"))
		alice.answer(fmt.Sprint("s", i), "sent")
	}
	alice.reach(501)
	epoch := s.enterWelcome("bob").Epoch
	for _, x := range []struct {
		name         string
		epoch        string
		index, heads uint64
		recovered    bool
	}{
		{"all that fits", epoch, 1, 0, true},
		{"too much was missed", epoch, 0, 0, false},
		{"another numbering", "another", 501, 0, false},
		{"ahead of the server", epoch, 502, 0, false},
		{"a head that does not exist", epoch, 501, 7, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			if _, w := s.resume("bob", x.epoch, x.index, x.heads); w.Recovered != x.recovered {
				t.Errorf("recovered: %v", w.Recovered)
			}
		})
	}
	group := alice.create("g", "All", "bob", "carol")
	alice.send(group, "g1", "moved")
	w := s.enterWelcome("bob")
	for w.Inbox.Index < 503 { // the group, and that it is large
		w = s.enterWelcome("bob")
	}
	if w.Inbox.Heads != 3 {
		t.Fatalf("welcome %+v", w.Inbox)
	}
	if _, w := s.resume("bob", epoch, w.Inbox.Index, 2); w.Recovered {
		t.Error("a head has moved, and it is recovered")
	}
	if _, w := s.resume("bob", epoch, w.Inbox.Index, 3); !w.Recovered {
		t.Error("nothing was missed, and it is not recovered")
	}
}

// enterWelcome connects a user only to read the welcome.
func (s *server) enterWelcome(user string) *wire.Received {
	s.t.Helper()
	l := s.dial()
	return l.hello(s.token(user), "device")
}

// A list of many is read again by what changed since a version (X7).
func TestAListIsReadBySinceAVersion(t *testing.T) {
	s := serve(t)
	alice, shop := s.enter("alice"), s.enter("shop")
	for i := range 30 {
		name := fmt.Sprint("buyer", i)
		buyer := s.enter(name)
		buyer.send(buyer.open("shop"), "k", "hello")
		shop.push()
	}
	all := shop.list("", 200)
	if len(all.Conversations) != 30 || all.Version == 0 {
		t.Fatalf("%d rows of version %d", len(all.Conversations), all.Version)
	}
	since := func(version uint64) *wire.Received {
		t.Helper()
		return shop.ask("conversations", func(id string) []byte { return wire.AppendList(nil, id, "", version, 200) })
	}
	if none := since(all.Version); len(none.Conversations) != 0 || none.Version != all.Version {
		t.Errorf("nothing changed: %+v", none)
	}
	id := alice.open("shop")
	alice.send(id, "k", "hello")
	shop.push()
	old := all.Conversations[20]
	shop.read(old.Conversation, old.Index)
	changed := since(all.Version)
	if len(changed.Conversations) != 2 || changed.Conversations[0].Conversation != id || changed.Conversations[1].Unread != 0 {
		t.Errorf("changed: %+v", changed.Conversations)
	}
	if changed.Version <= all.Version {
		t.Errorf("version %d after %d", changed.Version, all.Version)
	}
}
