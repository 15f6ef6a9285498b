package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/client/clienttest"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Everything at once (M53, M59, M62, X2, X3): three people write to each other
// and into a group that becomes large and small again, while the server
// refuses, loses pushes, cuts links, and takes now the long ones, now the short
// ones, now none.
func TestNothingIsLostInAllThis(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			newChaos(t, seed).run()
		})
	}
}

const perLane = 120

type chaos struct {
	t       *testing.T
	server  *clienttest.Server
	people  map[string]*person
	group   string
	wait    sync.WaitGroup
	mu      sync.Mutex
	dice    *rand.Rand
	onShort int // how often a client came to be on the short link
}

// person is a client and what it received.
type person struct {
	name  string
	c     *Client
	store Store
	got   map[string][]uint64 // indices, by conversation
	ended chan struct{}
}

// roll is a number below n.
func (x *chaos) roll(n int) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.dice.IntN(n)
}

func newChaos(t *testing.T, seed uint64) *chaos {
	x := &chaos{t: t, server: clienttest.New(t), people: make(map[string]*person), dice: rand.New(rand.NewPCG(seed, 7))}
	x.server.Large(5)
	x.server.OwnFirst(seed%2 == 1)
	x.server.Lose(func() bool { return x.roll(10) == 0 })
	file, err := OpenFile(filepath.Join(t.TempDir(), "alice"), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, store := range map[string]Store{"alice": file, "bob": &Memory{Keep: 100_000}, "carol": &Memory{Keep: 100_000}} {
		p := &person{name: name, store: store, got: make(map[string][]uint64), ended: make(chan struct{})}
		p.c = start(t, x.server, name, func(o *Options) {
			o.Queue, o.Store = 32, store
			o.OnState = func(s State) {
				if s.Up && s.Short {
					x.mu.Lock()
					x.onShort++
					x.mu.Unlock()
				}
			}
		})
		x.people[name] = p
		go p.receive()
	}
	return x
}

func (p *person) receive() {
	defer close(p.ended)
	for m := range p.c.Messages() {
		p.got[m.Conversation] = append(p.got[m.Conversation], m.Index)
	}
}

func (x *chaos) harm(f *wire.Frame) (h clienttest.Harm) {
	switch n := x.roll(400); {
	case n < 12 && f.Type != wire.Hello && f.Type != wire.Ping:
		h.Refuse = []wire.Code{wire.CodeOverloaded, wire.CodeUnavailable}[n%2]
	case n < 18:
		h.Cut, h.Unstored = true, n%2 == 0
	}
	return h
}

func (x *chaos) run() {
	x.server.Harm(x.harm)
	alice := x.people["alice"]
	var err error
	if x.group, err = alice.c.CreateGroup(within(x.t), "g", "Returns", []string{"bob", "carol"}); err != nil {
		x.t.Fatal(err)
	}
	var lanes sync.WaitGroup
	for me, p := range x.people {
		for you := range x.people {
			if you != me {
				conversation := open(x.t, p.c, you)
				lanes.Go(func() { x.flood(p.c, conversation, me+" to "+you) })
			}
		}
		lanes.Go(func() { x.flood(p.c, x.group, me+" to all") })
	}
	lanes.Go(x.resize)
	over := make(chan struct{})
	x.wait.Go(func() { x.flicker(over) })
	lanes.Wait()
	close(over)
	x.wait.Wait()
	x.server.Harm(nil)
	x.server.Lose(nil)
	x.server.Links(true, true)
	x.check()
}

// flicker lets links work and fail by turns.
func (x *chaos) flicker(over chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(x.roll(30)) * time.Millisecond):
		}
		switch x.roll(6) {
		case 0:
			x.server.CutLong()
		case 1:
			x.server.Links(false, true)
			x.server.CutLong()
		case 2:
			x.server.Links(true, false)
			x.server.CutAll()
		case 3:
			x.server.Links(false, false)
			x.server.CutAll()
		default:
			x.server.Links(true, true)
		}
	}
}

// resize takes the group across its size, there and back.
func (x *chaos) resize() {
	others := []string{"dave", "erin", "frank"}
	for i := range 6 {
		add, remove := others, []string(nil)
		if i%2 == 1 {
			add, remove = nil, others
		}
		if _, err := x.people["alice"].c.Change(within(x.t), x.group, add, remove); err != nil {
			x.t.Error(err)
		}
		time.Sleep(time.Duration(x.roll(50)) * time.Millisecond)
	}
}

// flood sends texts, which are stored in the order of sending.
func (x *chaos) flood(c *Client, conversation, lane string) {
	var all []*Sending
	for i := range perLane {
		s, err := c.Send(within(x.t), conversation, fmt.Sprintf("%s: %d", lane, i))
		if err != nil {
			x.t.Error(err)
			return
		}
		all = append(all, s)
		if i%10 == 0 {
			time.Sleep(time.Duration(x.roll(20)) * time.Millisecond)
		}
	}
	last := uint64(0)
	for i, s := range all {
		r, err := s.Wait(within(x.t))
		if err != nil || r.Index <= last {
			x.t.Errorf("%s: text %d is stored at %d, after one at %d: %v", lane, i, r.Index, last, err)
			return
		}
		last = r.Index
	}
}

func (x *chaos) check() {
	chains := x.server.Chains()
	stored := 0
	for _, chain := range chains {
		texts := make(map[string]bool)
		for i := range chain {
			if chain[i].Key != "" {
				stored++
				texts[string(chain[i].Content)+chain[i].From] = true
			}
		}
		if n := chain[len(chain)-1].N; len(texts) != int(n) {
			x.t.Errorf("a conversation of %d texts has %d different ones", n, len(texts))
		}
	}
	if stored != 9*perLane {
		x.t.Errorf("%d texts are stored", stored)
	}
	for _, p := range x.people {
		x.settle(p)
		if err := p.c.Close(); err != nil {
			x.t.Error(err)
		}
		<-p.ended
		for conversation, chain := range chains {
			x.received(p, conversation, chain)
		}
	}
	if x.onShort == 0 {
		x.t.Error("nobody ever was on the short link")
	}
}

// settle waits until a store has come up to the server.
func (x *chaos) settle(p *person) {
	ctx := within(x.t)
	for {
		at, err := p.store.Load()
		inbox, heads := x.server.Inbox(p.name)
		level := err == nil && at.Index == uint64(len(inbox)) && len(at.Heads) == len(heads)
		for conversation, index := range heads {
			level = level && at.Heads[conversation] == index
		}
		if level {
			return
		}
		if err := pause(ctx); err != nil {
			x.t.Fatalf("%s is at %+v, the server at %d %v", p.name, at, len(inbox), heads)
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return errors.New("it lasts too long")
	case <-time.After(5 * time.Millisecond):
		return nil
	}
}

// received compares what somebody got, and has kept, with a chain.
func (x *chaos) received(p *person, conversation string, chain []wire.Message) {
	var want []uint64
	mine := false
	for i := range chain {
		m := &chain[i]
		mine = mine || m.From == p.name
		if m.From != p.name || m.Key == "" {
			want = append(want, m.Index)
		}
	}
	if !mine {
		if len(p.got[conversation]) > 0 {
			x.t.Errorf("%s got messages of others", p.name)
		}
		return
	}
	if got := p.got[conversation]; fmt.Sprint(got) != fmt.Sprint(want) {
		x.t.Errorf("%s got %v, not %v", p.name, got, want)
	}
	kept, err := p.store.Messages(conversation, 0, 100_000)
	if err != nil || len(kept) != len(chain) {
		x.t.Fatalf("%s keeps %d of %d: %v", p.name, len(kept), len(chain), err)
	}
	for i := range kept {
		k, m := &kept[i], &chain[i]
		if k.Index != m.Index || k.Pre != m.Pre || k.N != m.N || k.ID != string(wire.AppendUUID(nil, m.ID)) || k.From != m.From ||
			k.Key != m.Key || k.At.UnixMilli() != m.At || string(k.Content) != string(m.Content) {
			x.t.Errorf("%s keeps %+v of %+v", p.name, k, m)
		}
	}
	x.listed(p, conversation)
}

// listed compares a kept row with the server's.
func (x *chaos) listed(p *person, conversation string) {
	rows, err := p.store.Rows()
	if err != nil {
		x.t.Fatal(err)
	}
	want := x.server.Rows(p.name)[conversation]
	for _, r := range rows {
		if r.Conversation != conversation {
			continue
		}
		if r.Index != want.Index || r.N != want.N || r.Unread != want.Unread || r.Group != want.Group || r.Title != want.Title ||
			r.Large != want.Large || r.Left != want.Left || r.With != want.With || r.At != want.At {
			x.t.Errorf("%s has the row %+v, the server %+v", p.name, r, want)
		}
		return
	}
	x.t.Errorf("%s has no row of %s", p.name, conversation)
}
