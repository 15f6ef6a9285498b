package client

import (
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
// and into a group that becomes large and small again, a fourth one reads it and
// starts his client again and again, while the server refuses, loses pushes,
// cuts links, and takes now the long ones, now the short ones, now none.
func TestNothingIsLostInAllThis(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			newChaos(t, seed).run()
		})
	}
}

const (
	perLane = 80
	reader  = "rita"
)

var writers = []string{"alice", "bob", "carol"}

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
	file  string
	store *File
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
	x.server.Large(6)
	x.server.OwnFirst(seed%2 == 1)
	x.server.Lose(func() bool { return x.roll(10) == 0 })
	folder := t.TempDir()
	for _, name := range append([]string{reader}, writers...) {
		p := &person{name: name, file: filepath.Join(folder, name), got: make(map[string][]uint64)}
		x.people[name] = p
		x.begin(p)
	}
	return x
}

// begin starts somebody's client on what the one before kept.
func (x *chaos) begin(p *person) {
	var err error
	if p.store, err = OpenFile(p.file, 100_000); err != nil {
		x.t.Fatal(err)
	}
	p.ended = make(chan struct{})
	p.c = start(x.t, x.server, p.name, func(o *Options) {
		o.Queue, o.Store = 32, p.store
		o.OnState = func(s State) {
			if s.Up && s.Short {
				x.mu.Lock()
				x.onShort++
				x.mu.Unlock()
			}
		}
	})
	go p.receive()
}

// stop ends somebody's client, once all that it handed out was taken.
func (x *chaos) stop(p *person) {
	if err := p.c.Close(); err != nil {
		x.t.Error(err)
	}
	<-p.ended
}

// restart starts the reader's client again and again.
func (x *chaos) restart(over chan struct{}) {
	p := x.people[reader]
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(x.roll(100)) * time.Millisecond):
		}
		x.stop(p)
		if err := p.store.Close(); err != nil {
			x.t.Error(err)
		}
		x.begin(p)
	}
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
	if x.group, err = alice.c.CreateGroup(within(x.t), "g", "Returns", []string{"bob", "carol", reader}); err != nil {
		x.t.Fatal(err)
	}
	var lanes sync.WaitGroup
	for _, me := range writers {
		p := x.people[me]
		for _, you := range writers {
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
	x.wait.Go(func() { x.restart(over) })
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
