//go:build node

// A client in another language, written from docs/ alone (testdata/node), lives
// through stories about the whole server. After each of them it keeps what the
// server tells by its public API. `make e2e-node` runs them.

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// often makes pings frequent, so that stories are short.
func often(c *config.Config) { c.Link.Heartbeat = time.Second }

// person starts a client in Node through a relay of its own.
func (s *server) person(name string) *node {
	s.t.Helper()
	return enterNode(s.t, newRelay(s.t, s.Addr()), name, s.token(name))
}

// M52, M59: two people write at the same time, all at once; both have one order.
func TestNodeTwoPeopleChat(t *testing.T) {
	s := serve(t, often)
	alice, bob := s.person("alice"), s.person("bob")
	id := alice.open("bob")
	if again := bob.open("alice"); again != id {
		t.Errorf("bob opened %s, alice %s", again, id)
	}
	a, b := alice.talk(id), bob.talk(id)
	for range 5 {
		a.say(100) // more at once than a link takes
		b.say(60)
		a.answered()
	}
	b.answered()
	alice.ok("read", fields{"conversation": id, "index": 700}, nil)
	keepAll(t, s.Addr(), alice, bob)
	for _, n := range []*node{alice, bob} {
		a.stands(n)
		b.stands(n)
	}
	if row := bob.dump().Rows[0]; row["with"] != "alice" || row["index"] != 800.0 {
		t.Errorf("bob's row is %v", row)
	}
}

// X1, M51: the server is killed in the middle of it, again and again.
func TestNodeServerIsKilled(t *testing.T) {
	data := t.TempDir()
	c := spawn(t, data)
	relay := newRelay(t, c.addr)
	person := func(name string) *node {
		return enterNode(t, relay, name, tokenFor(t, data, name, time.Hour))
	}
	alice, bob := person("alice"), person("bob")
	id := alice.open("bob")
	a, b := alice.talk(id), bob.talk(id)
	for range 4 {
		a.say(150)
		b.say(150)
		alice.answer(a.answers[20]) // now it flows
		a.answers = slices.Delete(a.answers, 20, 21)
		c.kill()
		c = spawn(t, data)
		relay.to(c.addr)
		a.answered()
		b.answered()
	}
	keepAll(t, c.addr, alice, bob)
	for _, n := range []*node{alice, bob} {
		a.stands(n)
		b.stands(n)
	}
}

// X3, M62: who was away goes on where he was, in another process; what he is
// told of the recovery is true.
func TestNodeWhoWasAwayResumes(t *testing.T) {
	s := serve(t, often)
	alice, bob := s.person("alice"), s.person("bob")
	id := alice.open("bob")
	a := alice.talk(id)
	a.say(20)
	a.answered()
	for _, away := range []struct {
		texts     int
		recovered bool
	}{{0, true}, {300, true}, {700, false}} {
		keepAll(t, s.Addr(), bob)
		had := bob.leave()
		a.say(away.texts)
		a.answered()
		alice.reaches(a)
		bob.start(had)
		if e := bob.linked("long"); e.Recovered != away.recovered {
			t.Errorf("after %d texts, recovered is %t", away.texts, e.Recovered)
		}
		keepAll(t, s.Addr(), alice, bob)
		a.stands(bob)
	}
	a.say(1)
	a.answered()
	keepAll(t, s.Addr(), bob)
	bob.relay.cut(false) // the process stays
	if e := bob.linked("long"); !e.Recovered {
		t.Error("the same process is not recovered")
	}
	a.say(10)
	keepAll(t, s.Addr(), alice, bob)
}

// reaches waits until the inbox has all the texts of a talk.
func (n *node) reaches(k *talk) {
	n.t.Helper()
	for deadline := time.Now().Add(nodePatience); len(n.dump().texts(k.conversation, k.name)) < len(k.texts); {
		if time.Now().After(deadline) {
			n.t.Fatalf("%s never gets %d texts", n.name, len(k.texts))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// X3: another epoch makes all positions void, and the client reads again.
func TestNodeAnotherEpoch(t *testing.T) {
	s := serve(t, often)
	relay := newRelay(t, s.Addr())
	bob := enterNode(t, relay, "bob", s.token("bob"))
	alice := enterNode(t, relay, "alice", s.token("alice"))
	a := alice.talk(alice.open("bob"))
	a.say(30)
	a.answered()
	keepAll(t, s.Addr(), alice, bob)
	other := serve(t, often) // it has nothing of all this
	alice.token, bob.token = other.token("alice"), other.token("bob")
	relay.to(other.Addr())
	relay.cut(false)
	for _, n := range []*node{alice, bob} {
		n.renews()
		if e := n.linked("long"); e.Recovered {
			t.Errorf("%s is told that all was recovered", n.name)
		}
		n.mu.Lock()
		clear(n.seen)
		n.mu.Unlock()
	}
	a = alice.talk(alice.open("bob"))
	a.say(10)
	a.answered()
	keepAll(t, other.Addr(), alice, bob)
	a.stands(bob)
	if got := bob.dump(); got.Index != 10 {
		t.Errorf("bob's inbox is at %d", got.Index)
	}
}

// renews gives the token that the client asks for.
func (n *node) renews() {
	n.t.Helper()
	n.event("want of a token", func(e told) bool { return e.Event == "token" })
	n.ok("token", fields{"token": n.token}, nil)
}

// A refusal for now keeps the order of what was sent at once.
func TestNodeABusyServerKeepsTheOrder(t *testing.T) {
	s := serve(t, often, func(c *config.Config) { c.Limits.SendsPerSecond, c.Limits.SendsBurst = 100, 20 })
	alice, bob := s.person("alice"), s.person("bob")
	a, b := alice.talk(alice.open("bob")), bob.talk(bob.open("alice"))
	alice.together(func() { a.say(100) })
	b.say(10)
	a.answered()
	b.answered()
	keepAll(t, s.Addr(), alice, bob)
	a.stands(bob)
	b.stands(alice)
	if refusals := alice.dump().Refusals; refusals[string(wire.CodeOverloaded)] == 0 {
		t.Errorf("nothing was refused for now: %v", refusals)
	}
}

// A refusal for good takes only what it refuses: those behind it, which name it,
// are sent again in their order.
func TestNodeARefusedOneDoesNotHoldUpTheOthers(t *testing.T) {
	s := serve(t, often)
	alice, bob := s.person("alice"), s.person("bob")
	a := alice.talk(alice.open("bob"))
	var refused []<-chan told
	alice.together(func() {
		for _, text := range []string{strings.Repeat("x", int(config.Default().Limits.MaxTextBytes)+1), ""} {
			a.say(20)
			refused = append(refused, alice.order("send", fields{"conversation": a.conversation, "key": "bad" + text[:min(len(text), 1)], "text": text}))
			a.say(20)
		}
	})
	a.answered()
	refused = append(refused, alice.order("send", fields{"conversation": a.conversation, "key": "alice-1", "text": "another"}))
	for i, code := range []wire.Code{wire.CodeTooLarge, wire.CodeInvalid, wire.CodeConflict} {
		if answer := alice.answer(refused[i]); answer.Error == nil || answer.Error.Code != string(code) {
			t.Errorf("instead of %s: %+v", code, answer)
		}
	}
	keepAll(t, s.Addr(), alice, bob)
	a.stands(bob)
	if refusals := alice.dump().Refusals; refusals[string(wire.CodePredecessorMissing)] < 20 {
		t.Errorf("those behind were not refused: %v", refusals)
	}
}

// M2: members come and go, one by one, by others and by themselves.
func TestNodeMembersComeAndGo(t *testing.T) {
	s := serve(t, often)
	shop, creator, partner := s.person("shop"), s.person("creator"), s.person("partner")
	all := []*node{shop, creator, partner}
	id := shop.conversationOf("create", fields{"key": "g", "title": "Launch", "members": []string{"creator"}})
	talks := map[*node]*talk{}
	for _, n := range all {
		talks[n] = n.talk(id)
	}
	speak := func(who ...*node) {
		t.Helper()
		for _, n := range who {
			talks[n].say(10)
			talks[n].answered()
		}
		keepAll(t, s.Addr(), all...)
	}
	speak(shop, creator)
	shop.change(id, []string{"partner"}, nil)
	speak(all...)
	had := creator.leave() // comes, goes and comes while nobody looks
	shop.change(id, nil, []string{"creator"})
	talks[shop].say(5)
	talks[shop].answered()
	shop.change(id, []string{"creator"}, nil)
	creator.start(had)
	creator.linked("long")
	speak(shop, creator, partner)
	shop.change(id, nil, []string{"shop"})
	if answer := shop.answer(shop.order("send", fields{"conversation": id, "key": "late", "text": "?"})); answer.Error == nil || answer.Error.Code != string(wire.CodeForbidden) {
		t.Errorf("who left may send: %+v", answer)
	}
	speak(creator, partner)
	var page struct {
		Members []struct{ User, Role string }
		Total   int
	}
	creator.ok("members", fields{"conversation": id, "limit": 1}, &page)
	got := fmt.Sprint(page.Total, page.Members)
	if diff := cmp.Diff("2 [{creator member} {partner owner}]", got); diff != "" {
		t.Errorf("who has been there longest is owner: %s", diff)
	}
}
