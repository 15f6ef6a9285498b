package client

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/client/clienttest"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Groups work alike on both links (M2, M53).
func TestPeopleComeAndGo(t *testing.T) {
	t.Parallel()
	for name, long := range map[string]bool{"long": true, "short": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := clienttest.New(t)
			f.Links(long, true)
			alice, bob, carol := start(t, f, "alice", nil), start(t, f, "bob", nil), start(t, f, "carol", nil)
			group, err := alice.CreateGroup(within(t), "g", "Returns", []string{"bob"})
			if err != nil {
				t.Fatal(err)
			}
			if again, err := alice.CreateGroup(within(t), "g", "Returns", []string{"bob"}); err != nil || again != group {
				t.Errorf("created again it is %s, %v", again, err)
			}
			sent(t, send(t, alice, group, "hi"))
			index, err := alice.Change(within(t), group, []string{"carol"}, []string{"bob"})
			if err != nil || index != 3 {
				t.Errorf("changed at %d, %v", index, err)
			}
			if index, err = alice.Change(within(t), group, []string{"carol"}, nil); err != nil || index != 0 {
				t.Errorf("nothing changed, at %d, %v", index, err)
			}
			change := GroupChange{Added: []string{"carol"}, Removed: []string{"bob"}}
			created := GroupChange{Title: "Returns", Members: []string{"alice", "bob"}}
			for _, want := range []Message{
				{Kind: KindCreated, Change: &created}, {Kind: KindText, Text: "hi"}, {Kind: KindMembers, Change: &change},
			} {
				m := next(t, bob)
				if diff := cmp.Diff(want, Message{Kind: m.Kind, Text: m.Text, Change: m.Change}); diff != "" || m.From != "alice" {
					t.Error(diff, m.From)
				}
			}
			if m := next(t, carol); m.Kind != KindMembers || m.Index != 3 || m.Inbox.Index != 1 {
				t.Errorf("carol got %+v", m)
			}
			page, total, next, err := alice.Members(within(t), group, "", 1)
			if err != nil || total != 2 || next != "alice" || len(page) != 1 || page[0] != (wire.Member{User: "alice", Role: "owner", Since: 1}) {
				t.Errorf("members %+v, %d, %q, %v", page, total, next, err)
			}
			var refused *Refused
			if _, err := bob.History(within(t), group, 0, 0); !errors.As(err, &refused) || refused.Code != wire.CodeForbidden {
				t.Errorf("bob, who has left, reads: %v", err)
			}
		})
	}
}

// large is a server with a group of alice, bob and carol that is large, and
// bob, who has read so far.
func large(t *testing.T, change func(*Options)) (f *clienttest.Server, alice, bob *Client, group string) {
	t.Helper()
	f = clienttest.New(t)
	f.Large(2)
	alice, bob = start(t, f, "alice", nil), start(t, f, "bob", change)
	group, err := alice.CreateGroup(within(t), "g", "Returns", []string{"bob", "carol"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		next(t, bob)
	}
	return f, alice, bob, group
}

// The entries of a large group come in order and once, though they come into no
// inbox, also the lost ones (X2).
func TestALargeGroupHasNoGap(t *testing.T) {
	t.Parallel()
	f, alice, bob, group := large(t, nil)
	lost := new(atomic.Int64)
	f.Lose(func() bool { return lost.Add(1)%3 == 0 })
	for i := range 50 {
		sent(t, send(t, alice, group, fmt.Sprint(i)))
	}
	for i := range 50 {
		m := next(t, bob)
		if m.Text != fmt.Sprint(i) || m.Index != uint64(i+3) || m.Inbox.Index != 0 {
			t.Fatalf("message %d is %+v", i, m)
		}
	}
	f.Lose(func() bool { return true }) // only a pong tells
	sent(t, send(t, alice, group, "last"))
	if m := next(t, bob); m.Text != "last" {
		t.Errorf("got %+v", m)
	}
	sent(t, send(t, alice, open(t, alice, "bob"), "last of all"))
	if m := next(t, bob); m.Text != "last of all" || m.Inbox.Index != 3 {
		t.Errorf("got %+v", m)
	}
}

// X3: who is told that he has recovered asks for nothing; who is not asks for
// what is missing, and no more.
func TestOnlyWhatIsMissingIsPulled(t *testing.T) {
	t.Parallel()
	store := new(Memory)
	f, alice, bob, group := large(t, func(o *Options) { o.Store = store })
	var inbox, heads, history atomic.Int64
	f.Harm(func(r *wire.Frame) clienttest.Harm {
		switch r.Type {
		case wire.Inbox:
			inbox.Add(1)
		case wire.Heads:
			heads.Add(1)
		case wire.History:
			history.Add(1)
		}
		return clienttest.Harm{}
	})
	direct := open(t, alice, "bob")
	again := func() {
		t.Helper()
		if err := bob.Close(); err != nil {
			t.Fatal(err)
		}
	}
	again()
	for i := range 10 {
		sent(t, send(t, alice, direct, fmt.Sprint(i)))
	}
	bob = start(t, f, "bob", func(o *Options) { o.Store = store })
	for i := range 10 {
		if m := next(t, bob); m.Text != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, m.Text)
		}
	}
	if inbox.Load()+heads.Load()+history.Load() > 0 {
		t.Error("it asked, though it had recovered")
	}
	again()
	sent(t, send(t, alice, group, "to all"))
	bob = start(t, f, "bob", func(o *Options) { o.Store = store })
	if m := next(t, bob); m.Text != "to all" || m.Conversation != group {
		t.Errorf("got %+v", m)
	}
	if n := fmt.Sprint(inbox.Load(), heads.Load(), history.Load()); n != "0 1 1" {
		t.Errorf("it asked %s times for the inbox, the heads, and history", n)
	}
	at, err := store.Load()
	if err != nil || at.Index != 12 || at.Heads[group] != 2 && at.Heads[group] != 3 {
		t.Errorf("kept %+v, %v", at, err)
	}
}

// FromNow holds for large groups, too.
func TestFromNowBeginsAtTheHeads(t *testing.T) {
	t.Parallel()
	f, alice, _, group := large(t, nil)
	sent(t, send(t, alice, group, "before carol's time"))
	answered := make(chan struct{}, 100)
	f.Harm(func(r *wire.Frame) clienttest.Harm {
		if r.Type == wire.Heads {
			answered <- struct{}{}
		}
		return clienttest.Harm{}
	})
	carol := start(t, f, "carol", func(o *Options) { o.FromNow = true })
	<-answered
	if _, _, _, err := carol.Members(within(t), group, "", 0); err != nil { // answered after the heads
		t.Fatal(err)
	}
	sent(t, send(t, alice, group, "after"))
	if m := next(t, carol); m.Text != "after" || m.Index != 4 {
		t.Errorf("carol got %+v", m)
	}
}
