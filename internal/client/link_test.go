package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/client/clienttest"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

func watch(states chan State) func(*Options) {
	return func(o *Options) { o.OnState = func(s State) { states <- s } }
}

func TestASilentServerIsLeft(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	f.Heartbeat(100 * time.Millisecond)
	states := make(chan State, 100)
	f.Harm(func(r *wire.Frame) clienttest.Harm { return clienttest.Harm{Ignore: r.Type != wire.Hello} })
	alice := start(t, f, "alice", watch(states))
	if s := <-states; !s.Up {
		t.Fatalf("first %+v", s)
	}
	if s := <-states; s.Up || !strings.Contains(s.Err.Error(), "silent") {
		t.Fatalf("then %+v", s)
	}
	f.Heartbeat(time.Second)
	f.Harm(nil)
	sent(t, send(t, alice, open(t, alice, "bob"), "hi"))
}

func TestALinkOutlivesItsHeartbeats(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	states := make(chan State, 100)
	pings := make(chan struct{}, 100)
	f.Harm(func(r *wire.Frame) clienttest.Harm {
		if r.Type == wire.Ping {
			pings <- struct{}{}
		}
		return clienttest.Harm{}
	})
	alice := start(t, f, "alice", watch(states))
	for range 3 { // the third goes out only if the ones before were answered
		<-pings
	}
	sent(t, send(t, alice, open(t, alice, "bob"), "hi"))
	if n := len(states); n != 1 {
		t.Errorf("%d changes of state", n)
	}
}

func TestTheWaitFollowsTheCloseCode(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	states := make(chan State, 100)
	alice := start(t, f, "alice", func(o *Options) {
		watch(states)(o)
		o.BackOff = BackOff{Base: time.Nanosecond, Max: time.Nanosecond}
		o.AwayWait = 50 * time.Millisecond
	})
	<-states
	// A random wait may be short; that all of these are is not to be expected.
	longest := time.Duration(0)
	for range 10 {
		once := false
		f.Harm(func(r *wire.Frame) (h clienttest.Harm) {
			if r.Type == wire.Open && !once {
				once, h = true, clienttest.Harm{Cut: true, Unstored: true, Close: wire.CloseGoingAway}
			}
			return h
		})
		open(t, alice, "bob")
		longest = max(longest, (<-states).Retry)
		if s := <-states; !s.Up {
			t.Fatalf("then %+v", s)
		}
	}
	if longest < time.Millisecond || longest > 50*time.Millisecond {
		t.Errorf("the longest of ten waits was %v", longest)
	}
}

func TestATokenThatFailsIsAskedAgain(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	states := make(chan State, 100)
	asked := 0
	alice := start(t, f, "alice", func(o *Options) {
		watch(states)(o)
		o.Token = func(context.Context) (string, error) {
			if asked++; asked < 3 {
				return "", errors.New("no keys")
			}
			return "alice", nil
		}
	})
	if err := alice.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	if s := <-states; s.Up || !strings.Contains(s.Err.Error(), "no keys") {
		t.Errorf("first %+v", s)
	}
}

func TestAHelloThatIsRefusedSaysWhy(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	states := make(chan State, 100)
	f.Harm(func(*wire.Frame) clienttest.Harm { return clienttest.Harm{Refuse: wire.CodeUnauthenticated} })
	start(t, f, "alice", watch(states))
	var refused *Refused
	if s := <-states; !errors.As(s.Err, &refused) || refused.Code != wire.CodeUnauthenticated {
		t.Errorf("first %+v", s)
	}
}

func TestRetriesAreSpread(t *testing.T) {
	b := BackOff{Base: 250 * time.Millisecond, Max: 30 * time.Second}
	for tries := range 80 {
		top := 30 * time.Second
		if tries < 7 {
			top = 250 * time.Millisecond << tries
		}
		for range 20 {
			if w := b.wait(tries); w < 0 || w > top {
				t.Fatalf("wait %d is %v", tries, w)
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	token := func(context.Context) (string, error) { return "", nil }
	for _, o := range []Options{
		{URL: "http://127.0.0.1", Token: token, Device: "d"},
		{URL: "ws:///x", Token: token, Device: "d"},
		{URL: "ws://127.0.0.1", Device: "d"},
		{URL: "ws://127.0.0.1", Token: token, Device: "d d"},
	} {
		if c, err := New(o); err == nil {
			t.Errorf("%+v was taken", o)
			c.Close()
		}
	}
}
