package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

func (l *link) presence(watch bool, users ...string) []wire.Seen {
	l.t.Helper()
	return l.ask("presence", func(id string) []byte { return wire.AppendAskPresence(nil, id, users, watch) }).Users
}

// toldOf reads up to the push that tells of a user.
func (l *link) toldOf(user string, online bool) {
	l.t.Helper()
	f := l.frame()
	for f.Type == "msg" || f.Type == "own" {
		f = l.frame()
	}
	want := []wire.Seen{{User: user, Online: online}}
	if diff := cmp.Diff(want, f.Users); diff != "" || f.Type != "presence" || f.ID != "" {
		l.t.Fatalf("a %s %q: %s", f.Type, f.ID, diff)
	}
}

// M25: who talks with somebody sees him come and go; nobody else does.
func TestPresenceIsToldToThoseWhoTalk(t *testing.T) {
	s := serve(t)
	alice, bob, carol := s.enter("alice"), s.enter("bob"), s.enter("carol")
	if got := alice.presence(false, "bob", "carol", "alice", "nobody"); len(got) != 0 {
		t.Errorf("of strangers and herself alice sees %+v", got)
	}
	alice.open("bob")
	want := []wire.Seen{{User: "bob", Online: true}}
	if diff := cmp.Diff(want, alice.presence(true, "carol", "bob", "nobody", "bob")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]wire.Seen{{User: "alice", Online: true}}, bob.presence(false, "alice")); diff != "" {
		t.Error(diff)
	}
	if got := carol.presence(true, "alice", "bob"); len(got) != 0 {
		t.Errorf("carol sees %+v", got)
	}
	_ = bob.ws.CloseNow()
	again := s.enter("bob") // at once: nobody is told
	_ = carol.ws.CloseNow() // nor of her, ever
	_ = again.ws.CloseNow()
	alice.toldOf("bob", false)
	again = s.enter("bob")
	alice.toldOf("bob", true)
	if diff := cmp.Diff(want, alice.presence(false, "bob")); diff != "" { // only asks: she watches on
		t.Error(diff)
	}
	alice.presence(true) // now she watches nobody
	_ = again.ws.CloseNow()
	s.enter("dave")
	id := alice.open("dave")
	for i := range 3 {
		alice.send(id, string(rune('a'+i)), "text")
	}
	for alice.presence(false, "bob")[0].Online { // the answer changes, and no push comes
		time.Sleep(10 * time.Millisecond)
	}
}

// M53: the short link tells the same as the long one, for the same price.
func TestPresenceOverHTTP(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Limits.RequestsPerSecond, c.Limits.RequestsBurst = 1, 20 })
	alice, bob, carol := s.web("alice"), s.enter("bob"), s.web("carol")
	carol.signIn()
	alice.ok("POST", "/v1/conversations", `{"with":"bob"}`)
	alice.ok("POST", "/v1/conversations", `{"with":"carol"}`)
	ask := "/v1/presence?user=carol&user=&user=bob&user=alice&user=nobody&user=bob"
	want := []wire.Seen{{User: "carol"}, {User: "bob", Online: true}}
	if diff := cmp.Diff(want, alice.ok("GET", ask, "").Users); diff != "" {
		t.Error(diff)
	}
	if got := carol.ok("GET", "/v1/presence?user=bob", ""); string(got.body) != `{"users":[]}` {
		t.Errorf("of a stranger carol sees %s", got.body)
	}
	_ = bob.ws.CloseNow()
	for { // a second time costs, too
		r := alice.ask("GET", ask, "")
		if r.status == http.StatusOK && !r.Users[1].Online {
			break
		}
		if r.status != http.StatusOK && r.status != http.StatusTooManyRequests {
			t.Fatalf("%d %s", r.status, r.body)
		}
		time.Sleep(50 * time.Millisecond)
	}

	dave := s.web("dave") // names are looked up, and cost
	dave.ok("GET", "/v1/presence", "")
	many := "/v1/presence?" + strings.Repeat("user=bob&", 100)
	dave.ok("GET", many, "")
	dave.refused("GET", many, "", http.StatusTooManyRequests, wire.CodeOverloaded)
}
