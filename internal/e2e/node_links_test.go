//go:build node

package e2e

import (
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// M65: a group becomes large and small again, while one is away, one joins, one
// leaves. Nothing is missed and nothing comes twice.
func TestNodeALargeGroup(t *testing.T) {
	s := serve(t, often, func(c *config.Config) { c.Limits.LargeGroupSize = 4 })
	owner, ann, ben, cleo, dora := s.person("owner"), s.person("ann"), s.person("ben"), s.person("cleo"), s.person("dora")
	all := []*node{owner, ann, ben, cleo, dora}
	id := owner.conversationOf("create", fields{"key": "g", "title": "All", "members": []string{"ann", "ben", "cleo"}})
	o, a := owner.talk(id), ann.talk(id)
	speak := func() {
		t.Helper()
		o.say(20)
		a.say(20)
		o.answered()
		a.answered()
	}
	speak()
	keepAll(t, s.Addr(), all...)
	had := ben.leave()
	owner.change(id, []string{"dora"}, nil) // five: it is large
	speak()
	keepAll(t, s.Addr(), owner, ann, cleo, dora)
	if large := owner.dump().Large; len(large) != 1 {
		t.Errorf("large groups of owner: %v", large)
	}
	ben.start(had)
	if e := ben.linked("long"); e.Recovered {
		t.Error("ben has missed entries that do not come by the inbox, and is told that he has all")
	}
	speak()
	keepAll(t, s.Addr(), all...)
	cleo.change(id, nil, []string{"cleo"}) // four, and still large
	eve := s.person("eve")
	all = append(all, eve)
	owner.change(id, []string{"eve"}, nil) // she learns of it by the heads
	speak()
	keepAll(t, s.Addr(), all...)
	had = ben.leave()
	speak()
	owner.change(id, nil, []string{"eve", "dora", "ann"}) // two with ben: small again
	owner.change(id, []string{"ann", "eve"}, nil)
	speak()
	ben.start(had)
	keepAll(t, s.Addr(), all...)
	if large := ben.dump().Large; len(large) > 0 {
		t.Errorf("it is small, and ben counts it as large: %v", large)
	}
	for _, n := range []*node{owner, ann, ben} {
		o.stands(n)
		a.stands(n)
	}
}

// M53: the long link ends, or is mute, while people talk: it goes on over HTTP,
// and comes back. Nothing is lost, nothing doubled, the order is kept.
func TestNodeGoesOnOverTheShortLink(t *testing.T) {
	s := serve(t, often, func(c *config.Config) { c.Limits.LargeGroupSize = 2 })
	relay := newRelay(t, s.Addr())
	alice := enterNode(t, relay, "alice", s.token("alice"))
	bob := enterNode(t, relay, "bob", s.token("bob"))
	carol := s.person("carol") // not through this relay
	id := alice.open("bob")
	group := carol.conversationOf("create", fields{"key": "g", "title": "All", "members": []string{"alice", "bob"}})
	talks := []*talk{alice.talk(id), bob.talk(id)}
	crowd := []*talk{alice.talk(group), carol.talk(group)}
	speak := func() {
		for _, k := range append(talks, crowd...) {
			k.say(40)
		}
	}
	for _, how := range []passing{refuse, mute, refuse} {
		speak()
		relay.let(how) // with some under way
		speak()
		alice.linked("short")
		bob.linked("short")
		speak()
		for _, k := range append(talks, crowd...) {
			k.answered()
		}
		keepAll(t, s.Addr(), alice, bob, carol)
		speak()
		relay.let(pass) // with some under way
		alice.linked("long")
		bob.linked("long")
		speak()
		for _, k := range append(talks, crowd...) {
			k.answered()
		}
		keepAll(t, s.Addr(), alice, bob, carol)
	}
	for _, n := range []*node{alice, bob} {
		for _, k := range append(talks, crowd...) {
			k.stands(n)
		}
	}
}

// A client without any long link from the start knows all the same.
func TestNodeNeverHadALongLink(t *testing.T) {
	s := serve(t, often)
	relay := newRelay(t, s.Addr())
	relay.let(refuse)
	alice := &node{t: t, name: "alice", token: s.token("alice"), relay: relay, seen: make(map[spot]int)}
	alice.start(nil)
	alice.linked("short")
	bob := s.person("bob")
	id := alice.open("bob")
	a, b := alice.talk(id), bob.talk(id)
	a.say(50)
	b.say(50)
	a.answered()
	b.answered()
	keepAll(t, s.Addr(), alice, bob)
	a.stands(bob)
	b.stands(alice)
}

// What a close code says is done.
func TestNodeObeysCloseCodes(t *testing.T) {
	s := serve(t, often, func(c *config.Config) { c.Limits.LinksPerUser = 1 })
	relay := newRelay(t, s.Addr())
	bob := s.person("bob")
	// 4401: when its token expires it asks for a new one, and goes on.
	alice := &node{t: t, name: "alice", token: tokenFor(t, s.cfg.Data, "alice", 3*time.Second), relay: relay, seen: make(map[spot]int)}
	alice.start(nil)
	alice.closed(int(wire.CloseUnauthenticated))
	opened := alice.order("open", fields{"with": "bob"})
	alice.token = s.token("alice")
	alice.renews()
	alice.linked("long")
	var to struct{ Conversation string }
	alice.okay(alice.answer(opened), &to)
	a := alice.talk(to.Conversation)
	a.say(5)
	a.answered()
	keepAll(t, s.Addr(), alice, bob)
	// 1001: it comes back.
	next := s.again()
	relay.to(next.Addr())
	bob.relay.to(next.Addr())
	alice.closed(int(websocket.StatusGoingAway))
	alice.linked("long")
	a.say(5)
	a.answered()
	keepAll(t, next.Addr(), alice, bob)
	// 4409: it leaves the place to the newer one, and stays away.
	twin := enterNode(t, relay, "alice", alice.token)
	alice.closed(int(wire.CloseReplaced))
	alice.event("goodbye", func(e told) bool { return e.Event == "replaced" })
	b := bob.talk(a.conversation)
	b.say(5)
	b.answered()
	keepAll(t, next.Addr(), twin, bob)
	if got := alice.dump(); len(got.Inbox) == len(twin.dump().Inbox) {
		t.Error("who was replaced receives all the same")
	}
}

// A token that is refused while there is no long link is asked for anew as well.
func TestNodeRenewsItsTokenOverTheShortLink(t *testing.T) {
	s := serve(t, often)
	relay := newRelay(t, s.Addr())
	relay.let(refuse)
	bob := s.person("bob")
	alice := &node{t: t, name: "alice", token: "none of the server's", relay: relay, seen: make(map[spot]int)}
	alice.start(nil)
	alice.token = s.token("alice")
	alice.renews()
	alice.linked("short")
	b := bob.talk(bob.open("alice"))
	b.say(5)
	b.answered()
	keepAll(t, s.Addr(), alice, bob)
	b.stands(alice)
}
