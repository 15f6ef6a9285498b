package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// link is a bare connection: frames as they come, nothing repeated or hidden.
// For one goroutine.
type link struct {
	t     *testing.T
	ws    *websocket.Conn
	ctx   context.Context
	ahead []*wire.Received // read, not yet taken

	pushed []*wire.Received // pushes met while waiting for an answer
	next   int
}

// dial connects without a word.
func dial(t *testing.T, addr string) *link {
	t.Helper()
	ws, err := tryDial(t, addr, wire.Subprotocol, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &link{t: t, ws: ws, ctx: within(t)}
}

func tryDial(t *testing.T, addr, protocol string, header http.Header) (*websocket.Conn, error) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	ws, resp, err := websocket.Dial(within(t), "ws://"+addr+"/v1/link", &websocket.DialOptions{
		Subprotocols: []string{protocol}, HTTPHeader: header, HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		if resp != nil {
			err = fmt.Errorf("%d: %w", resp.StatusCode, err)
		}
		return nil, err
	}
	ws.SetReadLimit(8 << 20)
	t.Cleanup(func() { _ = ws.CloseNow() }) // most links have ended by then
	return ws, nil
}

// enter connects a user and returns after the welcome.
func (s *server) enter(user string) *link {
	s.t.Helper()
	l := s.dial()
	l.hello(s.token(user), "device")
	return l
}

func (l *link) hello(token, device string) *wire.Received {
	l.t.Helper()
	id := l.id()
	l.write(wire.AppendHello(nil, id, token, device))
	return l.answer(id, "welcome")
}

func (l *link) id() string {
	l.next++
	return fmt.Sprintf("r%d", l.next)
}

// write sends one WebSocket message of these bytes.
func (l *link) write(message []byte) {
	l.t.Helper()
	if err := l.ws.Write(l.ctx, websocket.MessageText, message); err != nil {
		l.t.Fatalf("writing: %v", err)
	}
}

// frame returns the next frame, whatever it is.
func (l *link) frame() *wire.Received {
	l.t.Helper()
	f, err := l.tryFrame()
	if err != nil {
		l.t.Fatalf("reading: %v", err)
	}
	return f
}

func (l *link) tryFrame() (*wire.Received, error) {
	for len(l.ahead) == 0 {
		_, message, err := l.ws.Read(l.ctx)
		if err != nil {
			return nil, err
		}
		lines := wire.SplitAny(message)
		for line, ok := lines.Next(); ok; line, ok = lines.Next() {
			if !json.Valid(line) {
				return nil, fmt.Errorf("the server sent %q", line)
			}
			f, err := wire.Receive(line)
			if err != nil {
				return nil, err
			}
			l.ahead = append(l.ahead, f)
		}
	}
	f := l.ahead[0]
	l.ahead = l.ahead[1:]
	return f, nil
}

// answer returns the answer to a request; pushes on the way are kept.
func (l *link) answer(id, kind string) *wire.Received {
	l.t.Helper()
	for {
		f := l.frame()
		if f.Type == "msg" || f.Type == "own" {
			l.pushed = append(l.pushed, f)
			continue
		}
		if f.ID != id || f.Type != kind {
			l.t.Fatalf("%s %q instead of %s %q: %s %s", f.Type, f.ID, kind, id, f.Code, f.Message)
		}
		return f
	}
}

// push returns the next msg or own.
func (l *link) push() *wire.Received {
	l.t.Helper()
	if len(l.pushed) > 0 {
		f := l.pushed[0]
		l.pushed = l.pushed[1:]
		return f
	}
	f := l.frame()
	if f.Type != "msg" && f.Type != "own" {
		l.t.Fatalf("%s instead of a push: %s %s", f.Type, f.Code, f.Message)
	}
	return f
}

// ask writes a request made of the next id and returns the answer.
func (l *link) ask(kind string, frame func(id string) []byte) *wire.Received {
	l.t.Helper()
	id := l.id()
	l.write(frame(id))
	return l.answer(id, kind)
}

func (l *link) open(with string) string {
	l.t.Helper()
	return l.ask("opened", func(id string) []byte { return wire.AppendOpen(nil, id, with) }).Conversation
}

func (l *link) send(conversation, key, text string) *wire.Received {
	l.t.Helper()
	return l.ask("sent", func(id string) []byte { return wire.AppendSend(nil, id, conversation, key, "", text) })
}

func (l *link) before(conversation string, index uint64, limit int) *wire.Received {
	l.t.Helper()
	return l.ask("messages", func(id string) []byte { return wire.AppendHistory(nil, id, conversation, index, limit) })
}

func (l *link) after(conversation string, index uint64, limit int) *wire.Received {
	l.t.Helper()
	return l.ask("messages", func(id string) []byte { return wire.AppendHistoryAfter(nil, id, conversation, index, limit) })
}

func (l *link) inbox(after uint64, limit int) *wire.Received {
	l.t.Helper()
	return l.ask("entries", func(id string) []byte { return wire.AppendInbox(nil, id, after, limit) })
}

func (l *link) list(cursor string, limit int) *wire.Received {
	l.t.Helper()
	return l.ask("conversations", func(id string) []byte { return wire.AppendList(nil, id, cursor, 0, limit) })
}

// onTop waits until a conversation is the first of the list, whose order trails
// the pushes by some milliseconds.
func (l *link) onTop(conversation string) wire.Row {
	l.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		rows := l.list("", 1).Conversations
		if len(rows) > 0 && rows[0].Conversation == conversation {
			return rows[0]
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("on top is %+v, want %s", rows, conversation)
		}
	}
}

func (l *link) read(conversation string, index uint64) {
	l.t.Helper()
	l.ask("done", func(id string) []byte { return wire.AppendRead(nil, id, conversation, index) })
}

func (l *link) ping() *wire.Received {
	l.t.Helper()
	return l.ask("pong", func(id string) []byte { return wire.AppendPing(nil, id) })
}

// reach pings until the inbox is that long: an answer to a send does not wait
// for the inboxes.
func (l *link) reach(index uint64) {
	l.t.Helper()
	for l.ping().Inbox.Index < index {
	}
}

// refused writes a message and expects one error with this code.
func (l *link) refused(message, id string, code wire.Code) *wire.Received {
	l.t.Helper()
	l.write([]byte(message))
	f := l.answer(id, "error")
	if f.Code != code || f.Message == "" || f.Retry != code.Retryable() {
		l.t.Fatalf("%.80q: refused with %+v instead of %s", message, f, code)
	}
	return f
}

// closed reads until the end and expects this close code.
func (l *link) closed(code websocket.StatusCode) {
	l.t.Helper()
	if err := l.gone(); websocket.CloseStatus(err) != code {
		l.t.Fatalf("ended with %v instead of %d", err, code)
	}
}

// gone reads until the connection ends, and says how.
func (l *link) gone() error {
	l.t.Helper()
	for {
		if _, err := l.tryFrame(); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				l.t.Fatal("the connection does not end")
			}
			return err
		}
	}
}
