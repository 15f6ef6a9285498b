package client

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/merchantim/merchantim/internal/client/clienttest"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Everything at once: two people write to each other and to a third while the
// server refuses, cuts links and loses pushes.
func TestNothingIsLostInAllThis(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			chaos(t, seed)
		})
	}
}

const perLane = 150

func chaos(t *testing.T, seed uint64) {
	f := clienttest.New(t)
	r := rand.New(rand.NewPCG(seed, 7))
	f.Lose(func() bool { return r.IntN(10) == 0 })
	f.Harm(func(fr *wire.Frame) (h clienttest.Harm) {
		switch n := r.IntN(400); {
		case n < 12 && fr.Type != wire.Hello && fr.Type != wire.Ping:
			h.Refuse = []wire.Code{wire.CodeOverloaded, wire.CodeUnavailable}[n%2]
		case n < 18:
			h.Cut, h.Unstored = true, n%2 == 0
		}
		return h
	})
	people := []string{"alice", "bob", "carol"}
	var wait sync.WaitGroup
	receipts := make(map[string][]Receipt) // by sender and receiver
	var mu sync.Mutex
	for _, me := range people {
		c := start(t, f, me, func(o *Options) { o.Queue = 32 })
		wait.Go(func() { take(t, c, me) })
		for _, you := range people {
			if you == me {
				continue
			}
			conversation := open(t, c, you)
			wait.Go(func() {
				got := flood(t, c, conversation, me+" to "+you)
				mu.Lock()
				receipts[me+" to "+you] = got
				mu.Unlock()
			})
		}
	}
	wait.Wait()
	for lane, got := range receipts {
		for i := 1; i < len(got); i++ {
			if got[i-1].Index >= got[i].Index {
				t.Errorf("%s: text %d is stored at %d, after it %d", lane, i-1, got[i-1].Index, got[i].Index)
			}
		}
	}
	for _, chain := range f.Chains() {
		if len(chain) != 2*perLane {
			t.Errorf("a conversation has %d messages", len(chain))
		}
	}
}

func flood(t *testing.T, c *Client, conversation, lane string) (receipts []Receipt) {
	var all []*Sending
	for i := range perLane {
		s, err := c.Send(within(t), conversation, fmt.Sprintf("%s: %d", lane, i))
		if err != nil {
			t.Error(err)
			return nil
		}
		all = append(all, s)
	}
	for _, s := range all {
		r, err := s.Wait(within(t))
		if err != nil {
			t.Errorf("%s: %v", lane, err)
			return nil
		}
		receipts = append(receipts, r)
	}
	return receipts
}

// take reads what two others wrote: once, in the order of the inbox, and each
// conversation in its own.
func take(t *testing.T, c *Client, me string) {
	last := uint64(0)
	counts := make(map[string]int)
	for range 2 * perLane {
		var m Message
		select {
		case m = <-c.Messages():
		case <-within(t).Done():
			t.Errorf("%s waits in vain after %v", me, counts)
			return
		}
		if m.Inbox.Index <= last {
			t.Errorf("%s got inbox %d after %d", me, m.Inbox.Index, last)
		}
		last = m.Inbox.Index
		if want := fmt.Sprintf("%s to %s: %d", m.From, me, counts[m.From]); m.Text != want {
			t.Errorf("%s got %q, not %q", me, m.Text, want)
		}
		counts[m.From]++
	}
}
