package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// frameOf builds a send by hand, so that it can be wrong.
func frameOf(id, conversation, key, content string) string {
	return fmt.Sprintf(`{"type":"send","id":%q,"conversation":%q,"key":%q,"content":%s}`, id, conversation, key, content)
}

// Bad frames are refused one by one; the link they came on goes on.
func TestBadFramesAreRefused(t *testing.T) {
	s := serve(t)
	alice := s.enter("alice")
	s.enter("bob")
	carol := s.enter("carol")
	id := alice.open("bob")
	hi := `{"type":"text","text":"hi"}`
	text := func(n int) string { return `{"type":"text","text":"` + strings.Repeat("x", n) + `"}` }
	for name, c := range map[string]struct {
		frame, id string
		code      wire.Code
	}{
		"not JSON":              {`hello`, "", wire.CodeInvalid},
		"half an object":        {`{"type":"ping","id":"1"`, "1", wire.CodeInvalid},
		"two objects":           {`{"type":"ping","id":"1"} {}`, "1", wire.CodeInvalid},
		"an array":              {`[{"type":"ping","id":"1"}]`, "", wire.CodeInvalid},
		"deep":                  {`{"type":"ping","id":"1","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, "1", wire.CodeInvalid},
		"broken UTF-8":          {frameOf("1", id, "k", "{\"type\":\"text\",\"text\":\"a\xffb\"}"), "1", wire.CodeInvalid},
		"half a surrogate":      {frameOf("1", id, "k", `{"type":"text","text":"\ud800"}`), "1", wire.CodeInvalid},
		"unknown type":          {`{"type":"dance","id":"1"}`, "1", wire.CodeUnknownType},
		"type of wrong type":    {`{"type":7,"id":"1"}`, "1", wire.CodeInvalid},
		"no type":               {`{"id":"1"}`, "1", wire.CodeInvalid},
		"no id":                 {`{"type":"ping"}`, "", wire.CodeInvalid},
		"id of wrong type":      {`{"type":"ping","id":1}`, "", wire.CodeInvalid},
		"empty id":              {`{"type":"ping","id":""}`, "", wire.CodeInvalid},
		"oversized id":          {`{"type":"ping","id":"` + strings.Repeat("i", 65) + `"}`, "", wire.CodeInvalid},
		"oversized key":         {frameOf("1", id, strings.Repeat("k", 65), hi), "1", wire.CodeInvalid},
		"empty key":             {frameOf("1", id, "", hi), "1", wire.CodeInvalid},
		"key with a quote":      {frameOf("1", id, `a"b`, hi), "1", wire.CodeInvalid},
		"empty text":            {frameOf("1", id, "k", `{"type":"text","text":""}`), "1", wire.CodeInvalid},
		"oversized text":        {frameOf("1", id, "k", text(8193)), "1", wire.CodeTooLarge},
		"text of wrong type":    {frameOf("1", id, "k", `{"type":"text","text":["a"]}`), "1", wire.CodeInvalid},
		"unknown content":       {frameOf("1", id, "k", `{"type":"void"}`), "1", wire.CodeInvalid},
		"content of wrong type": {frameOf("1", id, "k", `"hi"`), "1", wire.CodeInvalid},
		"no UUID":               {frameOf("1", "general", "k", hi), "1", wire.CodeInvalid},
		"UUID in upper case":    {frameOf("1", strings.ToUpper(id), "k", hi), "1", wire.CodeInvalid},
		"unknown conversation":  {frameOf("1", "00000000-0000-8000-8000-000000000000", "k", hi), "1", wire.CodeNotFound},
		"name with a space":     {`{"type":"open","id":"1","with":"b b"}`, "1", wire.CodeInvalid},
		"negative index":        {`{"type":"read","id":"1","conversation":"` + id + `","index":-1}`, "1", wire.CodeInvalid},
		"fraction":              {`{"type":"inbox","id":"1","after":1.5}`, "1", wire.CodeInvalid},
		"too many digits":       {`{"type":"inbox","id":"1","after":99999999999999999999}`, "1", wire.CodeInvalid},
		"limit 0":               {`{"type":"inbox","id":"1","after":0,"limit":0}`, "1", wire.CodeInvalid},
		"limit too high":        {`{"type":"history","id":"1","conversation":"` + id + `","limit":201}`, "1", wire.CodeInvalid},
		"both ends":             {`{"type":"history","id":"1","conversation":"` + id + `","after":1,"before":5}`, "1", wire.CodeInvalid},
		"read the future":       {`{"type":"read","id":"1","conversation":"` + id + `","index":1}`, "1", wire.CodeNotFound},
		"second hello":          {`{"type":"hello","id":"1","token":"x","device":"d"}`, "1", wire.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			alice.t = t
			alice.refused(c.frame, c.id, c.code)
		})
	}
	alice.t = t
	carol.refused(frameOf("1", id, "k", hi), "1", wire.CodeForbidden)
	for i, kind := range []string{"history", "read"} {
		carol.refused(fmt.Sprintf(`{"type":%q,"id":"f%d","conversation":%q,"index":1}`, kind, i, id), fmt.Sprint("f", i), wire.CodeForbidden)
	}
	if page := alice.before(id, 0, 0); len(page.Messages) != 0 {
		t.Errorf("something was stored: %+v", page.Messages)
	}
	long := strings.Repeat("y", 8192)
	if sent := alice.send(id, strings.Repeat("k", 64), long); sent.Index != 1 {
		t.Errorf("the longest key and text: %+v", sent)
	}
}

func TestAKeyMeansOneMessageForEver(t *testing.T) {
	s := serve(t)
	alice, bob := s.enter("alice"), s.enter("bob")
	id := alice.open("bob")
	first := alice.send(id, "k", "text")
	if again := alice.send(id, "k", "text"); again.Message != first.Message || again.Index != 1 {
		t.Errorf("the same again: %+v", again)
	}
	alice.refused(frameOf("c", id, "k", `{"type":"text","text":"other"}`), "c", wire.CodeConflict)
	if other := bob.send(id, "k", "text"); other.Index != 2 {
		t.Errorf("another sender's key: %+v", other)
	}
	with := `{"type":"send","id":%q,"conversation":%q,"key":%q,"after":%q,"content":{"type":"text","text":"x"}}`
	alice.refused(fmt.Sprintf(with, "p", id, "k3", "k2"), "p", wire.CodePredecessorMissing)
	alice.send(id, "k2", "x")
	alice.write(fmt.Appendf(nil, with, "q", id, "k3", "k2"))
	if sent := alice.answer("q", "sent"); sent.Index != 4 {
		t.Errorf("after its predecessor: %+v", sent)
	}
}

// Each of these ends its own link with a code, and leaves another one alone.
func TestWhatEndsALink(t *testing.T) {
	s := serve(t)
	witness := s.enter("witness")
	good := s.token("alice")
	tampered := good[:len(good)-6] + "AAAAAA"
	stale := tokenFor(t, s.cfg.Data, "alice", time.Second)
	stranger := tokenFor(t, t.TempDir(), "alice", time.Hour)
	hello := func(token string) func(*link) {
		return func(l *link) { l.write(wire.AppendHello(nil, "h", token, "d")) }
	}
	for _, c := range []struct {
		name string
		do   func(*link)
		code websocket.StatusCode
	}{
		{"request before hello", func(l *link) { l.write(wire.AppendPing(nil, "1")) }, wire.CloseUnauthenticated},
		{"nonsense as a token", hello("x"), wire.CloseUnauthenticated},
		{"tampered token", hello(tampered), wire.CloseUnauthenticated},
		{"token of another server", hello(stranger), wire.CloseUnauthenticated},
		{"token without a signature", hello("eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + "."), wire.CloseUnauthenticated},
		{"token that expires on the way", func(l *link) { // or before
			l.write(wire.AppendHello(nil, "h", stale, "d"))
		}, wire.CloseUnauthenticated},
		{"binary message", func(l *link) {
			if err := l.ws.Write(l.ctx, websocket.MessageBinary, wire.AppendPing(nil, "1")); err != nil {
				t.Error(err)
			}
		}, wire.CloseBadFrame},
		{"message too large", func(l *link) { l.write([]byte(strings.Repeat(" ", wire.MaxMessage+1))) }, wire.CloseTooBig},
		{"too many frames", func(l *link) {
			l.hello(good, "d")
			l.write([]byte(strings.Repeat(`{"type":"ping","id":"1"}`+"\n", wire.MaxFrames+1)))
		}, wire.CloseTooBig},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := s.dial()
			l.t = t
			c.do(l)
			l.closed(c.code)
			witness.t = t
			witness.ping()
		})
	}
	l := s.dial() // as many frames as are allowed, in a message as large as is allowed
	l.hello(good, "d")
	line := `{"type":"ping","id":"1"}` + "\n"
	full := strings.Repeat(line, wire.MaxFrames)
	l.write([]byte(full + strings.Repeat(" ", wire.MaxMessage-len(full))))
	for range wire.MaxFrames {
		l.answer("1", "pong")
	}
}

func TestOnlyOurSubprotocolAndOrigins(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.PublicOrigins = []string{"https://shop.example"} })
	ws, err := tryDial(t, s.Addr(), "other.v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &link{t: t, ws: ws, ctx: within(t)}
	l.closed(wire.CloseBadFrame)
	origin := func(o string) http.Header { return http.Header{"Origin": {o}} }
	if _, err := tryDial(t, s.Addr(), wire.Subprotocol, origin("https://evil.example")); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a foreign origin: %v", err)
	}
	for _, own := range []string{"https://shop.example", "http://" + s.Addr()} {
		if _, err := tryDial(t, s.Addr(), wire.Subprotocol, origin(own)); err != nil {
			t.Errorf("%s: %v", own, err)
		}
	}
}

func TestSilenceEndsALink(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Link.HelloTimeout = 50 * time.Millisecond })
	s.dial().closed(wire.CloseIdle)
	s = serve(t, func(c *config.Config) { c.Link.Heartbeat = 500 * time.Millisecond })
	s.enter("alice").closed(wire.CloseIdle)
}

func TestAFullServerRefusesOneMoreAndTakesItLater(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Link.MaxConnections = 2 })
	alice := s.enter("alice")
	s.enter("bob")
	if _, err := tryDial(t, s.Addr(), wire.Subprotocol, nil); err == nil || !strings.Contains(err.Error(), "503") {
		t.Fatalf("the third: %v", err)
	}
	if err := alice.ws.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	for ctx := within(t); ctx.Err() == nil; {
		if _, err := tryDial(t, s.Addr(), wire.Subprotocol, nil); err == nil {
			return
		}
	}
	t.Error("the place of one who left is not given again")
}

func TestTooManyUnansweredSendsAreRefusedNotLost(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Link.MaxInflight = 3 })
	alice := s.enter("alice")
	s.enter("bob")
	id := alice.open("bob")
	var message []byte
	for i := range 10 { // one message: no answer can come before all are read
		message = append(wire.AppendSend(message, fmt.Sprint(i), id, fmt.Sprint("k", i), "", "x"), '\n')
	}
	alice.write(message)
	sent, refused := 0, 0
	for sent+refused < 10 {
		switch f := alice.frame(); {
		case f.Type == "sent":
			sent++
		case f.Type == "error" && f.Code == wire.CodeOverloaded && f.Retry && f.RetryMS > 0:
			refused++
		case f.Type != "own":
			t.Fatalf("%+v", f)
		}
	}
	if sent != 3 {
		t.Errorf("%d sent, %d refused", sent, refused)
	}
	for i := range 10 {
		alice.send(id, fmt.Sprint("k", i), "x")
	}
	if page := alice.before(id, 0, 0); len(page.Messages) != 10 {
		t.Errorf("%d are stored", len(page.Messages))
	}
}

// A device that does not read is sent away; others, and the chain, go on.
func TestASlowReaderIsSentAway(t *testing.T) {
	s := serve(t, func(c *config.Config) {
		c.Link.QueueBytes = 64 * config.KiB
		c.Link.WriteTimeout = time.Second
	})
	alice, bob := s.enter("alice"), s.dial()
	slow := s.knock([]byte(upgrade), masked(true, 1, wire.AppendHello(nil, "h", s.token("bob"), "asleep")))
	if err := slow.conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil { // else the system takes megabytes for it
		t.Fatal(err)
	}
	slow.upgraded()
	slow.frames(1)
	bob.hello(s.token("bob"), "awake")
	id := alice.open("bob")
	text := strings.Repeat("z", 8000)
	n := uint64(0)
	for deadline := time.Now().Add(patience); n%50 > 0 || s.status().Connections == 3; n++ {
		if time.Now().After(deadline) {
			t.Fatal("the slow one is still connected")
		}
		alice.send(id, fmt.Sprint("k", n), text)
		if m := bob.push(); m.Inbox.Index != n+1 {
			t.Fatalf("bob's other device got %+v", m)
		}
	}
	back := s.enter("bob")
	if page := back.inbox(n-1, 0); len(page.Entries) != 1 {
		t.Errorf("resumed with %+v", page)
	}
}
