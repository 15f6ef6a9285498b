package e2e

import (
	"fmt"
	"testing"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

func TestEveryDeviceGetsEveryMessage(t *testing.T) {
	s := serve(t)
	alice, phone, laptop := s.enter("alice"), s.enter("bob"), s.dial()
	laptop.hello(s.token("bob"), "laptop")
	id := alice.open("bob")
	alice.send(id, "a1", "to both")
	for name, device := range map[string]*link{"phone": phone, "laptop": laptop} {
		if m := device.push(); m.Type != "msg" || m.From != "alice" || m.Inbox.Index != 1 {
			t.Errorf("%s got %+v", name, m)
		}
	}
	phone.send(id, "b1", "from the phone")
	if m := laptop.push(); m.Type != "msg" || m.From != "bob" || m.Inbox != (wire.Place{Index: 2, Pre: 1}) {
		t.Errorf("the laptop got %+v", m)
	}
	phone.reach(2)
	// A pong shows the place as soon as it is kept; the frame may be a step behind it.
	phone.ping()
	if m := phone.push(); m.Type != "own" || m.Inbox != (wire.Place{Index: 2, Pre: 1}) || m.Conversation != id || m.Index != 2 || len(m.Content) != 0 {
		t.Errorf("the phone got %+v", m)
	}
}

func TestOwnPlacesComeWithThePings(t *testing.T) {
	s := serve(t)
	alice := s.enter("alice")
	s.enter("bob")
	id := alice.open("bob")
	const n = 20
	for i := range n {
		alice.send(id, fmt.Sprint("k", i), "text")
	}
	for len(alice.pushed) < n {
		alice.ping()
	}
	for i := range uint64(n) {
		if m := alice.push(); m.Type != "own" || m.Inbox != (wire.Place{Index: i + 1, Pre: i}) || m.Index != i+1 {
			t.Errorf("own %d is %+v", i+1, m)
		}
	}
}

// While messages flow, devices come: each sees its welcome first, and from
// what the welcome names on every inbox index, pushed or (behind a gap that it
// can see) pulled.
func TestNothingIsLostBetweenWelcomeAndPushes(t *testing.T) {
	s := serve(t)
	alice := s.enter("alice")
	s.enter("bob")
	id := alice.open("bob")
	const n, devices = 1000, 20
	flow := s.enter("alice")
	go func() {
		for i := range n {
			frame := wire.AppendSend(nil, fmt.Sprint(i), id, fmt.Sprint("k", i), "", "text")
			if flow.ws.Write(flow.ctx, 1, frame) != nil {
				return // the test has failed
			}
			if i%100 == 99 { // within max_inflight
				for sent := 0; sent < 100; {
					f, err := flow.tryFrame()
					if err != nil {
						return
					}
					if f.Type == "sent" {
						sent++
					}
				}
			}
		}
	}()
	var links []*link
	var at []uint64
	for i := range devices {
		alice.reach(uint64(i) * n / devices)
		l := s.dial()
		l.write(wire.AppendHello(nil, "h", s.token("bob"), fmt.Sprint("d", i)))
		w := l.frame()
		if w.Type != "welcome" {
			t.Fatalf("device %d saw %s before its welcome", i, w.Type)
		}
		links, at = append(links, l), append(at, w.Inbox.Index)
	}
	for i, l := range links {
		last, gaps := at[i], 0
		for last < n {
			m := l.push()
			switch {
			case m.Inbox.Index <= last:
				if m.Inbox.Index <= at[i] {
					continue // of before the welcome: a repetition
				}
				t.Fatalf("device %d got %d again", i, m.Inbox.Index)
			case m.Inbox.Pre != last:
				gaps++
				t.Errorf("device %d, welcomed at %d: %d follows %d", i, at[i], m.Inbox.Index, last)
			}
			last = m.Inbox.Index
		}
	}
}
