package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/app"
	"github.com/merchantim/merchantim/internal/client"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/stream"
)

// person starts a client of a user who keeps what he gets in store.
func person(t *testing.T, s *server, user string, store client.Store) *client.Client {
	t.Helper()
	token := s.token(user)
	c, err := client.New(client.Options{
		URL: "ws://" + s.Addr(), Device: "client", Store: store,
		Token:    func(context.Context) (string, error) { return token, nil },
		BackOff:  client.BackOff{Base: time.Millisecond, Max: 50 * time.Millisecond},
		AwayWait: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

// Two people talk through our own client while the server is stopped and
// started on the same address: every text arrives once and in order.
func TestTheClientTalksThroughRestarts(t *testing.T) {
	s := serve(t)
	s.cfg.Listen = s.Addr() // the next ones listen where this one does
	alice, bob := person(t, s, "alice", nil), person(t, s, "bob", nil)
	id, err := alice.Open(within(t), "bob")
	if err != nil {
		t.Fatal(err)
	}
	const rounds, each = 3, 100
	var all []*client.Sending
	for range rounds {
		for range each {
			sending, err := alice.Send(within(t), id, fmt.Sprint(len(all)))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, sending)
		}
		s = s.again()
	}
	for i, sending := range all {
		if r, err := sending.Wait(within(t)); err != nil || r.Index != uint64(i+1) {
			t.Fatalf("text %d: %+v, %v", i, r, err)
		}
	}
	for i := range all {
		select {
		case m := <-bob.Messages():
			if m.Text != fmt.Sprint(i) || m.Inbox.Index != uint64(i+1) || m.From != "alice" {
				t.Fatalf("message %d is %+v", i, m)
			}
		case <-within(t).Done():
			t.Fatalf("message %d does not come", i)
		}
	}
	if err := bob.Read(within(t), id, 10); err != nil {
		t.Error(err)
	}
	list, err := bob.List(within(t), "", 0, 0)
	if err != nil || len(list.Rows) != 1 || list.Rows[0].Unread != rounds*each-10 {
		t.Errorf("bob's list %+v, %v", list, err)
	}
	_, err = alice.Open(within(t), "nobody")
	if refused, ok := errors.AsType[*client.Refused](err); !ok || refused.Code != wire.CodeNotFound {
		t.Errorf("opening with nobody: %v", err)
	}
}

// gate holds back what a stage reads, until it is opened.
type gate struct {
	stream.Log
	open chan struct{}
}

func (g gate) Consume(ctx context.Context, group string, own func(context.Context, stream.Partition) error) error {
	select {
	case <-g.open:
	case <-ctx.Done():
		return ctx.Err()
	}
	return g.Log.Consume(ctx, group, own)
}

// A server that is behind its log answers nobody: a client waits in line and
// then sees everything.
func TestAServerAnswersOnlyWhenItHasCaughtUp(t *testing.T) {
	s := serve(t)
	alice := s.enter("alice")
	s.enter("bob")
	id := alice.open("bob")
	sent := alice.send(id, "k", "text")
	for _, l := range s.links {
		_ = l.ws.CloseNow() // nobody reads them
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	g := gate{open: make(chan struct{})}
	a, err := app.Open(s.cfg, quiet(), app.WrapLog(func(log stream.Log) stream.Log { g.Log = log; return g }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	late := &server{App: a, t: t, cfg: s.cfg, stop: stop, ended: make(chan error, 1)}
	go func() { late.ended <- a.Run(ctx) }()
	t.Cleanup(func() { _ = late.end() })
	c := late.knock([]byte(upgrade), masked(true, 1, wire.AppendHello(nil, "h", s.token("alice"), "d")),
		masked(true, 1, wire.AppendHistory(nil, "q", id, 0, 0)))
	if err := c.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if b, err := c.in.Peek(1); err == nil {
		t.Errorf("a server that is behind began to answer with %q", b)
	}
	select {
	case <-a.Ready():
		t.Error("it calls itself ready")
	default:
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	close(g.open)
	c.upgraded()
	if got := c.frames(2); got[0].Inbox.Index != 1 || len(got[1].Messages) != 1 || got[1].Messages[0].Message != sent.Message {
		t.Errorf("%+v %+v", got[0], got[1])
	}
}
