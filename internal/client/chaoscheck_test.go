package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// check compares what everybody got and keeps with what the server has.
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
		x.stop(p)
		for conversation, chain := range chains {
			x.received(p, conversation, chain)
		}
		if err := p.store.Close(); err != nil {
			x.t.Error(err)
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
	for i := range chain {
		if m := &chain[i]; m.From != p.name || m.Key == "" {
			want = append(want, m.Index)
		}
	}
	if _, his := x.server.Rows(p.name)[conversation]; !his {
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
