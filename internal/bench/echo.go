package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// echoServer is the ceiling: what a server on this WebSocket library can do if
// it keeps nothing. It speaks as much of the protocol as the generator needs.
// A send is answered with a frame of the size of the server's `sent`, and the
// other user gets one of the size of its `msg`, as two WebSocket messages,
// each written at once: gathering would make the ceiling its author's choice.
type echoServer struct {
	mu    sync.Mutex
	users map[string]*echoUser
	convs int
}

type echoUser struct {
	name  string
	ready bool // signed in; ws is set
	ws    *websocket.Conn

	mu    sync.Mutex // held over a delivery, so that indices leave in order
	inbox int64
	buf   []byte
}

// echoConversation is one user's side of a conversation; only the goroutine of
// that user's link uses it.
type echoConversation struct {
	id    string
	other *echoUser
	index int64
}

// echoLink is one connection with what its goroutine needs.
type echoLink struct {
	server *echoServer
	ws     *websocket.Conn
	me     *echoUser
	convs  map[string]*echoConversation
	in     []byte
	out    []byte
	frame  frame
}

func newEchoServer() *echoServer { return &echoServer{users: make(map[string]*echoUser)} }

// user returns a user, made if absent.
func (s *echoServer) user(name string) *echoUser {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[name]
	if u == nil {
		u = &echoUser{name: name}
		s.users[name] = u
	}
	return u
}

// newConversation returns a conversation id that was not given before.
func (s *echoServer) newConversation() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.convs++
	return fmt.Sprintf("00000000-0000-7000-8000-%012d", s.convs)
}

// ServeHTTP runs one link until it ends.
func (s *echoServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:    []string{"merchantim.v1.json"},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = ws.CloseNow() }()
	k := &echoLink{server: s, ws: ws, convs: make(map[string]*echoConversation)}
	for {
		if err := k.read(); err != nil {
			return
		}
		for rest := k.in; len(rest) > 0; {
			var line []byte
			line, rest, _ = bytes.Cut(rest, newline)
			if err := k.take(line); err != nil {
				_ = ws.Close(websocket.StatusCode(4400), err.Error())
				return
			}
		}
	}
}

// read reads one WebSocket message into in.
func (k *echoLink) read() error {
	_, r, err := k.ws.Reader(context.Background())
	if err != nil {
		return err
	}
	k.in, err = readInto(k.in[:0], r)
	return err
}

func (k *echoLink) write() error {
	return k.ws.Write(context.Background(), websocket.MessageText, k.out)
}

// take answers one frame.
func (k *echoLink) take(line []byte) error {
	f := &k.frame
	if err := scanFrame(line, f); err != nil {
		return err
	}
	kind := string(f.kind)
	if kind == "hello" {
		return k.hello(f)
	}
	if k.me == nil {
		return fmt.Errorf("%s before hello", kind)
	}
	switch kind {
	case "send":
		return k.send(f)
	case "open":
		return k.open(f)
	case "ping":
		return k.pong(f)
	}
	return fmt.Errorf("unknown type %q", kind)
}

// hello takes the user's name for a token.
func (k *echoLink) hello(f *frame) error {
	u := k.server.user(string(f.token))
	u.mu.Lock()
	u.ws, u.ready = k.ws, true
	inbox := u.inbox
	u.mu.Unlock()
	k.me = u
	k.out = fmt.Appendf(k.out[:0], `{"type":"welcome","id":%q,"user":%q,"epoch":"echo","inbox":{"index":%d},`+
		`"heartbeat_ms":25000,"max_text_bytes":8192,"max_inflight":256,"at":%d}`, f.id, u.name, inbox, time.Now().UnixMilli())
	return k.write()
}

func (k *echoLink) open(f *frame) error {
	c := &echoConversation{id: k.server.newConversation(), other: k.server.user(string(f.with))}
	k.convs[c.id] = c
	k.out = fmt.Appendf(k.out[:0], `{"type":"opened","id":%q,"conversation":%q}`, f.id, c.id)
	return k.write()
}

func (k *echoLink) pong(f *frame) error {
	k.me.mu.Lock()
	inbox := k.me.inbox
	k.me.mu.Unlock()
	k.out = fmt.Appendf(k.out[:0], `{"type":"pong","id":%q,"inbox":{"index":%d},"at":%d}`, f.id, inbox, time.Now().UnixMilli())
	return k.write()
}

// send answers a send and delivers it.
func (k *echoLink) send(f *frame) error {
	c := k.convs[string(f.conversation)]
	if c == nil {
		return fmt.Errorf("no conversation %q", f.conversation)
	}
	c.index++
	now := time.Now().UnixMilli()
	k.out = appendSent(k.out[:0], f, c.index, now)
	if err := k.write(); err != nil {
		return err
	}
	u := c.other
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ready {
		return nil
	}
	u.inbox++
	u.buf = appendMsg(u.buf[:0], f, k.me.name, u.inbox, c.index, now)
	// An error is the receiver's: its own goroutine ends its link.
	_ = u.ws.Write(context.Background(), websocket.MessageText, u.buf)
	return nil
}

// echoMessage is a message id of the right length.
const echoMessage = "00000000-0000-7000-8000-000000000000"

func appendSent(b []byte, f *frame, index, at int64) []byte {
	b = append(b, `{"type":"sent","id":"`...)
	b = append(b, f.id...)
	b = append(b, `","conversation":"`...)
	b = append(b, f.conversation...)
	b = append(b, `","key":"`...)
	b = append(b, f.key...)
	b = append(b, `","message":"`+echoMessage+`","index":`...)
	b = strconv.AppendInt(b, index, 10)
	b = append(b, `,"n":`...)
	b = strconv.AppendInt(b, index, 10)
	b = append(b, `,"at":`...)
	b = strconv.AppendInt(b, at, 10)
	return append(b, '}')
}

func appendMsg(b []byte, f *frame, from string, inbox, index, at int64) []byte {
	b = append(b, `{"type":"msg","inbox":{"index":`...)
	b = strconv.AppendInt(b, inbox, 10)
	b = append(b, `,"pre":`...)
	b = strconv.AppendInt(b, inbox-1, 10)
	b = append(b, `},"conversation":"`...)
	b = append(b, f.conversation...)
	b = append(b, `","index":`...)
	b = strconv.AppendInt(b, index, 10)
	b = append(b, `,"pre":`...)
	b = strconv.AppendInt(b, index-1, 10)
	b = append(b, `,"n":`...)
	b = strconv.AppendInt(b, index, 10)
	b = append(b, `,"message":"`+echoMessage+`","from":"`...)
	b = append(b, from...)
	b = append(b, `","key":"`...)
	b = append(b, f.key...)
	b = append(b, `","at":`...)
	b = strconv.AppendInt(b, at, 10)
	b = append(b, `,"content":{"type":"text","text":"`...)
	b = append(b, f.text...)
	return append(b, `"}}`...)
}
