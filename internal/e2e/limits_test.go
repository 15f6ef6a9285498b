package e2e

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/app"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/stream"
)

// A user's links share one rate; what a refusal says of the wait is true; and
// nobody else waits.
func TestSendsOfAUserHaveARate(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Limits.SendsPerSecond, c.Limits.SendsBurst = 5, 3 })
	alice, bob := s.enter("alice"), s.enter("bob")
	id := alice.open("bob")
	var message []byte
	for i := range 10 { // one message: it is taken at one moment
		message = append(wire.AppendSend(message, fmt.Sprint(i), id, fmt.Sprint("k", i), "", "x"), '\n')
	}
	alice.write(message)
	sent, wait := 0, int64(0)
	for n := 0; n < 10; {
		switch f := alice.frame(); {
		case f.Type == "sent":
			n, sent = n+1, sent+1
		case f.Type == "error" && f.Code == wire.CodeOverloaded && f.Retry && f.RetryMS > 0 && f.RetryMS <= 200:
			n, wait = n+1, f.RetryMS
		case f.Type != "own":
			t.Fatalf("%+v", f)
		}
	}
	if sent != 3 {
		t.Errorf("%d of a burst of 3 were taken", sent)
	}
	bob.send(id, "b", "bob does not wait")
	laptop := s.dial()
	laptop.hello(s.token("alice"), "laptop")
	time.Sleep(time.Duration(wait) * time.Millisecond)
	laptop.write(append(append(wire.AppendSend(nil, "1", id, "k8", "", "x"), '\n'), wire.AppendSend(nil, "2", id, "k9", "", "x")...))
	for range 2 { // the one that the wait was for, and maybe the next
		f := laptop.frame()
		for f.Type == "msg" || f.Type == "own" {
			f = laptop.frame()
		}
		if f.ID == "1" && f.Type != "sent" {
			t.Errorf("after the wait: %+v", f)
		}
	}
}

func TestOtherRequestsHaveARateOfTheirOwn(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Limits.RequestsPerSecond, c.Limits.RequestsBurst = 1, 3 })
	alice := s.enter("alice")
	s.enter("bob")
	id := alice.open("bob")
	alice.write([]byte(`{"type":"heads","id":"1"}` + "\n" + `{"type":"heads","id":"2"}` + "\n" + `{"type":"heads","id":"3"}`))
	alice.answer("1", "heads")
	alice.answer("2", "heads")
	if f := alice.answer("3", "error"); f.Code != wire.CodeOverloaded || f.RetryMS <= 0 || f.RetryMS > 1000 {
		t.Errorf("%+v", f)
	}
	for i := range 20 {
		alice.send(id, fmt.Sprint("k", i), "sends do not count")
		alice.ping()
	}
	many := make([]string, 21) // names are looked up, and cost
	for i := range many {
		many[i] = fmt.Sprint("u", i)
	}
	bob := s.dial()
	bob.hello(s.token("bob"), "another")
	bob.write(append(append(wire.AppendAskPresence(nil, "1", many, false), '\n'), wire.AppendAskPresence(nil, "2", many[:1], false)...))
	bob.answer("1", "presence")
	if f := bob.answer("2", "error"); f.Code != wire.CodeOverloaded {
		t.Errorf("%+v", f)
	}
}

// A link that sends too many frames is told so; one that does not listen is
// closed.
func TestALinkHasARateOfFrames(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Limits.FramesPerSecond, c.Limits.FramesBurst = 1, 20 })
	alice, bob := s.enter("alice"), s.enter("bob")
	var message []byte
	for i := range 100 {
		message = append(wire.AppendPing(message, fmt.Sprint(i)), '\n')
	}
	alice.write(message)
	pongs, refused := 0, 0
	for {
		f, err := alice.tryFrame()
		if err != nil {
			if websocket.CloseStatus(err) != wire.CloseTooFast {
				t.Errorf("ended with %v", err)
			}
			break
		}
		switch {
		case f.Type == "pong":
			pongs++
		case f.Code == wire.CodeOverloaded && f.RetryMS > 0 && f.RetryMS <= 1000 && f.ID == fmt.Sprint(pongs+refused):
			refused++
		default:
			t.Errorf("%+v", f)
		}
	}
	if pongs < 19 || pongs > 20 || refused != 20 {
		t.Errorf("%d pongs, %d refused", pongs, refused)
	}
	bob.ping()
	// Nonsense, blank messages and pings of WebSocket itself count alike.
	noisy := s.knock([]byte(upgrade), masked(true, 1, wire.AppendHello(nil, "h", s.token("alice"), "d")))
	noisy.upgraded()
	noisy.frames(1)
	var noise []byte
	for range 40 {
		noise = append(append(append(noise, masked(true, 9, []byte("?"))...), masked(true, 1, []byte("\n"))...), masked(true, 1, []byte("x"))...)
	}
	noisy.write(noise)
	for {
		head, err := noisy.in.Peek(4)
		if err != nil {
			t.Fatalf("noise ends with %v", err)
		}
		both := int(binary.BigEndian.Uint16(head[2:]))
		if head[0] == 0x88 { // a close frame
			if code := websocket.StatusCode(both); code != wire.CloseTooFast {
				t.Errorf("noise ends with %d", code)
			}
			return
		}
		size := 2 + int(head[1])
		if head[1] == 126 {
			size = 4 + both
		}
		if _, err := noisy.in.Discard(size); err != nil {
			t.Fatal(err)
		}
	}
}

// At the cap a device that comes again takes the place of its own older link;
// another device finds none.
func TestAUserHasSoManyLinks(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Limits.LinksPerUser = 2 })
	bob := s.enter("bob")
	enter := func(device string) *link {
		l := s.dial()
		l.hello(s.token("alice"), device)
		return l
	}
	phone, laptop := enter("phone"), enter("laptop")
	third := s.dial()
	third.write(wire.AppendHello(nil, "h", s.token("alice"), "tablet"))
	if f := third.answer("h", "error"); f.Code != wire.CodeOverloaded || f.RetryMS <= 0 {
		t.Errorf("the third device: %+v", f)
	}
	third.closed(wire.CloseUnavailable)
	again := enter("phone")
	phone.closed(wire.CloseReplaced)
	id := bob.open("alice")
	bob.send(id, "k", "to both")
	for name, l := range map[string]*link{"laptop": laptop, "phone": again} {
		if m := l.push(); m.Type != "msg" || m.Inbox.Index != 1 {
			t.Errorf("the %s got %+v", name, m)
		}
	}
	if err := laptop.ws.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	for ctx := within(t); ctx.Err() == nil; { // its place is given again
		l := s.dial()
		l.write(wire.AppendHello(nil, "h", s.token("alice"), "tablet"))
		if f := l.frame(); f.Type == "welcome" {
			return
		}
	}
	t.Error("the place of one that left is not given again")
}

func TestAnAddressHasSoManyConnections(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Limits.ConnectionsPerAddress = 2 })
	alice, bob := s.enter("alice"), s.enter("bob")
	if _, err := tryDial(t, s.Addr(), wire.Subprotocol, nil); err == nil || !strings.HasPrefix(err.Error(), "429") {
		t.Fatalf("the third: %v", err)
	}
	id := alice.open("bob")
	alice.send(id, "k", "text")
	bob.push()
	if err := alice.ws.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	for ctx := within(t); ctx.Err() == nil; {
		if _, err := tryDial(t, s.Addr(), wire.Subprotocol, nil); err == nil {
			return
		}
	}
	t.Error("the place of one that left is not given again")
}

// lagging is a log that says, while it is to, that its readers are as far
// behind as they may be.
type lagging struct {
	stream.Log
	on *atomic.Bool
}

func (l lagging) Stats() stream.Stats {
	s := l.Log.Stats()
	if l.on.Load() {
		s.Lag = map[string]int64{"single": 20_000}
	}
	return s
}

// While the server is busy, who floods it is held back, and who sends little
// gets through.
func TestABusyServerHoldsBackWhoSendsMost(t *testing.T) {
	var behind atomic.Bool
	s := run(t, settings(t.TempDir()), app.WrapLog(func(log stream.Log) stream.Log { return lagging{log, &behind} }))
	t.Cleanup(func() { behind.Store(false) })
	behind.Store(true)
	alice, bob := s.enter("alice"), s.enter("bob")
	id := alice.open("bob")
	refused := (*wire.Received)(nil)
	for n, ctx := 0, within(t); refused == nil; {
		if ctx.Err() != nil {
			t.Fatal("a flood is not held back")
		}
		var message []byte
		for range 100 {
			n++
			message = append(wire.AppendSend(message, "s", id, fmt.Sprint("k", n), "", "flood"), '\n')
		}
		alice.write(message)
		for answers := 0; answers < 100; {
			f := alice.frame()
			if f.Type == "own" {
				continue
			}
			if answers++; f.Type == "error" {
				refused = f
			}
		}
	}
	if refused.Code != wire.CodeOverloaded || !refused.Retry || refused.RetryMS <= 0 {
		t.Errorf("held back with %+v", refused)
	}
	for i := range 5 {
		bob.send(id, fmt.Sprint("b", i), "little")
	}
	behind.Store(false)
	for ctx := within(t); ; time.Sleep(10 * time.Millisecond) { // and the flood may go on when it is over
		alice.write(wire.AppendSend(nil, "s", id, "last", "", "flood"))
		f := alice.frame()
		for f.Type != "sent" && f.Type != "error" {
			f = alice.frame()
		}
		if f.Type == "sent" {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("still %+v", f)
		}
	}
}
