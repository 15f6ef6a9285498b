package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/client/clienttest"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// until waits for a state.
func until(t *testing.T, states chan State, what string, is func(State) bool) State {
	t.Helper()
	for {
		select {
		case s := <-states:
			if is(s) {
				return s
			}
		case <-within(t).Done():
			t.Fatalf("it never is %s", what)
		}
	}
}

func onShort(s State) bool { return s.Up && s.Short }
func onLong(s State) bool  { return s.Up && !s.Short }

// viaHTTP tells a request of the short link from one of the long.
func viaHTTP(f *wire.Frame) bool { return string(f.ID) == "0" }

// M53: everything works over the short link, and goes on over the long one.
func TestWithoutALongLinkTheShortOneDoesAll(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	f.Links(false, true)
	states := make(chan State, 1000)
	alice := start(t, f, "alice", watch(states))
	s := until(t, states, "on the short link", onShort)
	if s.User != "alice" {
		t.Errorf("it is up as %+v", s)
	}
	bob := start(t, f, "bob", nil)
	conversation := open(t, alice, "bob")
	for i := range 20 {
		sent(t, send(t, alice, conversation, fmt.Sprint("<", i, ">")))
	}
	for i := range 20 {
		if m := next(t, bob); m.Text != fmt.Sprint("<", i, ">") || m.Inbox.Index != uint64(i+1) {
			t.Fatalf("message %d is %+v", i, m)
		}
	}
	page, err := alice.History(within(t), conversation, 5, 2)
	if err != nil || len(page.Messages) != 2 || page.Messages[1].Index != 4 || !page.More {
		t.Errorf("history %+v, %v", page, err)
	}
	if err := bob.Read(within(t), conversation, 15); err != nil {
		t.Error(err)
	}
	if list, err := bob.List(within(t), "", 0, 10); err != nil || len(list.Rows) != 1 || list.Rows[0].Unread != 5 {
		t.Errorf("list %+v, %v", list, err)
	}
	var refused *Refused
	if _, err := send(t, alice, conversation, strings.Repeat("x", 9000)).Wait(within(t)); !errors.As(err, &refused) || refused.Code != wire.CodeTooLarge {
		t.Errorf("a long text: %v", err)
	}
	f.Links(true, true)
	until(t, states, "on the long link", onLong)
	sent(t, send(t, alice, conversation, "by the long one"))
	if m := next(t, bob); m.Text != "by the long one" || m.Index != 21 {
		t.Errorf("then came %+v", m)
	}
}

// A text whose answer is lost with the long link is stored once.
func TestATextThatChangesLinksIsStoredOnce(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	states := make(chan State, 1000)
	alice := start(t, f, "alice", watch(states))
	conversation := open(t, alice, "bob")
	f.Harm(func(r *wire.Frame) clienttest.Harm {
		return clienttest.Harm{Cut: r.Type == wire.Send && !viaHTTP(r)} // stored, and not answered
	})
	f.Links(false, true) // for those to come
	all := []*Sending{send(t, alice, conversation, "one"), send(t, alice, conversation, "two"), send(t, alice, conversation, "three")}
	for i, s := range all {
		if r := sent(t, s); r.Index != uint64(i+1) {
			t.Errorf("text %d is stored at %d", i, r.Index)
		}
	}
	until(t, states, "on the short link", onShort)

	// And back, in the middle of a text that the short link does not answer.
	var held atomic.Int64
	f.Harm(func(r *wire.Frame) (h clienttest.Harm) {
		if r.Type == wire.Send && viaHTTP(r) {
			held.Add(1)
			h.Ignore = true
		}
		return h
	})
	four := send(t, alice, conversation, "four")
	for held.Load() == 0 {
		if err := pause(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	f.Links(true, true)
	if r := sent(t, four); r.Index != 4 {
		t.Errorf("the last is stored at %d", r.Index)
	}
	for _, chain := range f.Chains() {
		if len(chain) != 4 {
			t.Errorf("%d are stored", len(chain))
		}
	}
}

// A link that is greeted and then ends, as behind a proxy that does not carry
// it, is no link.
func TestALinkThatEndsAtOnceIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	f.Harm(func(r *wire.Frame) clienttest.Harm {
		return clienttest.Harm{Cut: r.Type != wire.Hello && !viaHTTP(r), Unstored: true}
	})
	states := make(chan State, 10_000)
	alice := start(t, f, "alice", func(o *Options) {
		watch(states)(o)
		o.FallBack = 1000
		o.BackOff = BackOff{Base: time.Second, Max: time.Minute}
	})
	until(t, states, "on the long link", onLong)
	conversation := open(t, alice, "bob")
	for i := range 10 {
		if r := sent(t, send(t, alice, conversation, "text")); r.Index != uint64(i+1) {
			t.Errorf("text %d is stored at %d", i, r.Index)
		}
	}
	until(t, states, "on the short link", onShort)
}

func TestWhoWantsTheLongLinkOnlyWaitsForIt(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	f.Links(false, true)
	states := make(chan State, 10_000)
	alice := start(t, f, "alice", func(o *Options) { watch(states)(o); o.FallBack = -1 })
	for range 5 {
		if s := <-states; s.Up || s.Err == nil {
			t.Fatalf("it is %+v", s)
		}
	}
	f.Links(true, true)
	if err := alice.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	if s := until(t, states, "up", func(s State) bool { return s.Up }); s.Short {
		t.Error("it is on the short link")
	}
}

// A token that is good no more is asked for again.
func TestTheShortLinkGetsANewToken(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	f.Links(false, true)
	var asked, bad atomic.Int64
	bad.Store(1)
	f.Harm(func(r *wire.Frame) (h clienttest.Harm) {
		if r.Type == wire.Open && bad.Add(-1) >= 0 {
			h.Refuse = wire.CodeUnauthenticated
		}
		return h
	})
	alice := start(t, f, "alice", func(o *Options) {
		o.Token = func(context.Context) (string, error) { asked.Add(1); return "alice", nil }
	})
	if err := alice.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	before := asked.Load()
	open(t, alice, "bob")
	if asked.Load() == before {
		t.Error("it went on with the old token")
	}
}

// What is pushed to others comes by a request that waits, also of a large group.
func TestThePollBringsWhatIsNew(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	f.Large(2)
	alice := start(t, f, "alice", nil)
	group, err := alice.CreateGroup(within(t), "g", "Returns", []string{"bob", "carol"})
	if err != nil {
		t.Fatal(err)
	}
	f.Links(false, true)
	bob := start(t, f, "bob", nil)
	for _, want := range []Kind{KindCreated, KindDiffusion} {
		if m := next(t, bob); m.Kind != want || m.Inbox.Index != m.Index {
			t.Fatalf("got %+v", m)
		}
	}
	conversation := open(t, alice, "bob")
	for i := range 5 {
		for f.Polls() == 0 {
			if err := pause(within(t)); err != nil {
				t.Fatal("nobody waits")
			}
		}
		sent(t, send(t, alice, group, fmt.Sprint("to all ", i)))
		if m := next(t, bob); m.Text != fmt.Sprint("to all ", i) || m.Inbox.Index != 0 {
			t.Fatalf("got %+v", m)
		}
		sent(t, send(t, alice, conversation, fmt.Sprint("to bob ", i)))
		if m := next(t, bob); m.Text != fmt.Sprint("to bob ", i) || m.Inbox.Index != uint64(i+3) {
			t.Fatalf("got %+v", m)
		}
	}
}

// What is no server of ours is no short link, whatever it answers.
func TestSomethingElseIsNoShortLink(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(w http.ResponseWriter){
		"a page":         func(w http.ResponseWriter) { fmt.Fprint(w, "<html>Welcome</html>") },
		"nothing there":  func(w http.ResponseWriter) { http.Error(w, "no", http.StatusNotFound) },
		"a proxy's word": func(w http.ResponseWriter) { http.Error(w, "{}", http.StatusBadGateway) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
			t.Cleanup(s.Close)
			states := make(chan State, 10_000)
			c, err := New(Options{
				URL: "ws" + strings.TrimPrefix(s.URL, "http"), Device: "test", OnState: func(s State) { states <- s },
				Token:   func(context.Context) (string, error) { return "alice", nil },
				BackOff: BackOff{Base: time.Millisecond, Max: 5 * time.Millisecond},
			})
			if err != nil {
				t.Fatal(err)
			}
			for range 6 {
				if s := <-states; s.Up {
					t.Errorf("it is up: %+v", s)
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
