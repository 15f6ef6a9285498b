package client

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// storing is a server that keeps keys in order, refuses at will, and whose
// answers come late and in any order.
type storing struct {
	chain   []string
	answers []*wire.Received
}

func (s *storing) send(x *Sending, refuse bool) {
	has := func(key string) bool {
		for _, k := range s.chain {
			if k == key {
				return true
			}
		}
		return false
	}
	r := &wire.Received{Type: "sent", ID: x.id}
	switch {
	case refuse:
		r.Type, r.Code, r.Retry = "error", wire.CodeOverloaded, true
	case has(x.key):
	case x.after != "" && !has(x.after):
		r.Type, r.Code = "error", wire.CodePredecessorMissing
	default:
		s.chain = append(s.chain, x.key)
	}
	s.answers = append(s.answers, r)
}

func TestTheOutboxKeepsItsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, server, now, ids := newOutbox(), &storing{}, time.Unix(0, 0), 0
		var all []*Sending
		each := rapid.IntRange(1, 8).Draw(t, "each")
		sendOne := func(refuse bool) bool {
			ids++
			x := o.take(now, 8, each, fmt.Sprint(ids))
			if x != nil {
				server.send(x, refuse)
			}
			return x != nil
		}
		answerOne := func(i int) {
			r := server.answers[i]
			server.answers = append(server.answers[:i], server.answers[i+1:]...)
			if r.Type == "sent" {
				o.accepted(r.ID, Receipt{})
			} else {
				o.refused(r.ID, now, r)
			}
		}
		for range rapid.IntRange(0, 100).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				x := &Sending{conversation: "c", key: fmt.Sprint(len(all)), done: make(chan struct{})}
				o.add(x)
				all = append(all, x)
			case 1:
				sendOne(rapid.Bool().Draw(t, "refuse"))
			case 2:
				if n := len(server.answers); n > 0 {
					answerOne(rapid.IntRange(0, n-1).Draw(t, "answer"))
				}
			case 3:
				now = now.Add(time.Second)
			case 4:
				o.rewind() // the link is lost, and with it what was on the way back
				server.answers = nil
			}
			if o.inflight != len(o.byID) || o.inflight > each {
				t.Fatalf("%d under way, %d ids", o.inflight, len(o.byID))
			}
		}
		for o.count > 0 {
			now = now.Add(10 * time.Second)
			for sendOne(false) {
			}
			for len(server.answers) > 0 {
				answerOne(0)
			}
		}
		for i, x := range all {
			<-x.done
			if x.err != nil || server.chain[i] != x.key {
				t.Fatalf("text %d: %v, chain %v", i, x.err, server.chain)
			}
		}
		if len(server.chain) != len(all) || len(o.lanes) != 0 {
			t.Fatalf("%d stored of %d, %d lanes", len(server.chain), len(all), len(o.lanes))
		}
	})
}

func TestATextNamesTheOneThatCountsBeforeIt(t *testing.T) {
	o, now := newOutbox(), time.Unix(0, 0)
	var all []*Sending
	for i, key := range []string{"a", "b", "c"} {
		all = append(all, &Sending{conversation: "c", key: key, done: make(chan struct{})})
		o.add(all[i])
		o.take(now, 8, 8, "first "+key)
	}
	o.refused("first b", now, &wire.Received{Code: wire.CodeForbidden})
	if x := o.take(now, 8, 8, "second c"); x != all[2] || x.after != "a" {
		t.Fatalf("after the refusal of b came %+v", x)
	}
	// The server answered for a, and has lost it since.
	o.accepted("first a", Receipt{})
	o.refused("second c", now, &wire.Received{Code: wire.CodePredecessorMissing})
	if x := o.take(now, 8, 8, "third c"); x != all[2] || x.after != "" {
		t.Fatalf("after the loss of a came %+v", x)
	}
}
