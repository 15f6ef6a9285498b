package ws

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/limit"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/usecase"
)

// ServeHTTP upgrades a request to a link. The handler returns at once; the
// connection goes on in a goroutine of its own, without the server's stack.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.open.Add(1) > int64(h.opt.MaxConns) || !h.admit() {
		h.open.Add(-1)
		w.Header().Set("Retry-After", "2")
		http.Error(w, "no connection can be taken now", http.StatusServiceUnavailable)
		return
	}
	now := time.Now().UnixMilli()
	c := &conn{hub: h, tcp: limit.ConnOf(r.Context()), began: now}
	c.heard.Store(now)
	c.done = c.lost
	ws, err := websocket.Accept(small{w}, r, &websocket.AcceptOptions{
		Subprotocols:    []string{wire.Subprotocol},
		OriginPatterns:  h.opt.Origins,
		CompressionMode: websocket.CompressionDisabled,
		OnPingReceived:  c.pinged,
	})
	if err != nil { // Accept has answered
		h.open.Add(-1)
		h.wg.Done()
		return
	}
	c.ws = ws
	if !h.enter(c) {
		c.shut(wire.CloseGoingAway, "the server goes away")
	}
	if ws.Subprotocol() != wire.Subprotocol {
		c.shut(wire.CloseBadFrame, "subprotocol "+wire.Subprotocol+" is needed")
	}
	ws.SetReadLimit(int64(h.opt.MaxMessage))
	go c.read()
}

// read is the life of a connection.
func (c *conn) read() {
	defer c.hub.leave(c)
	defer c.end()
	for {
		message, err := c.next()
		if err != nil {
			return
		}
		if c.gone() { // its sends would go unanswered
			return
		}
		c.heard.Store(time.Now().UnixMilli())
		c.at = c.hub.clock()
		ok := c.message(message.Bytes())
		message.Reset()
		messages.put(message)
		if !ok {
			return
		}
	}
}

// next reads one message into a pooled buffer. While a connection is idle it
// holds none.
func (c *conn) next() (*bytes.Buffer, error) {
	kind, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return nil, err
	}
	if kind != websocket.MessageText {
		c.shut(wire.CloseBadFrame, "text messages only")
		return nil, io.ErrUnexpectedEOF
	}
	b := messages.get()
	if _, err := b.ReadFrom(r); err != nil {
		messages.put(b)
		return nil, err
	}
	return b, nil
}

// message handles the frames of one WebSocket message, in order. It returns
// false when the connection is at its end.
func (c *conn) message(m []byte) bool {
	lines, err := wire.Split(m)
	if err != nil {
		c.shut(wire.CloseTooBig, "too many frames in one message")
		return false
	}
	line, ok := lines.Next()
	if !ok && !c.blank() {
		return false
	}
	for ; ok; line, ok = lines.Next() {
		if !c.handle(line) {
			return false
		}
	}
	c.flush()
	c.kick()
	return true
}

// lost is told by the log when it could not keep sends after all: the outcome
// is unknown to their sender, who asks again on a new link.
func (c *conn) lost(err error) {
	if err != nil {
		c.shut(wire.CloseUnavailable, "the server cannot store messages now")
	}
}

// resume reads the state of the user's chains and, where the client has told
// its position, what it has missed.
func (c *conn) resume(ctx context.Context, f *wire.Frame) (usecase.State, []usecase.Delivery, bool, *domain.Error) {
	if !f.Resumes {
		state, refusal := c.hub.opt.Service.Newest(ctx, c.user)
		return state, nil, false, refusal
	}
	at := usecase.Position{Epoch: f.Epoch, State: usecase.State{Inbox: f.InboxIndex, Heads: f.HeadSum}}
	return c.hub.opt.Service.Resume(ctx, c.user, at)
}

// hello checks who is there and lets pushes flow. Until it returns, pushes are
// held, so that the welcome comes first and none is missed.
func (c *conn) hello(f *wire.Frame) bool {
	opt := &c.hub.opt
	user, expires, err := opt.Verify(string(f.Token))
	if err != nil {
		c.refuse(f.ID, domain.Refuse(domain.Unauthenticated, "The token is not valid."))
		c.finish(wire.CloseUnauthenticated, "the token is not valid")
		return false
	}
	ctx := context.Background()
	if err := opt.Welcome(ctx, user); err != nil {
		opt.Log.Error("hello failed", "err", err)
		c.refuse(f.ID, domain.Refuse(domain.Unavailable, "The server cannot welcome you now."))
		c.finish(wire.CloseUnavailable, "try again")
		return false
	}
	c.mu.Lock()
	c.holding = true
	c.mu.Unlock()
	c.user, c.device = user, string(f.Device)
	if !c.hub.signOn(c) {
		c.refuse(f.ID, &domain.Error{Code: domain.Overloaded, Message: "You have too many links.", Retry: fullRetry})
		c.finish(wire.CloseUnavailable, "too many links of this user")
		return false
	}
	state, missed, recovered, refusal := c.resume(ctx, f)
	if refusal != nil {
		c.refuse(f.ID, refusal)
		c.finish(wire.CloseUnavailable, "try again")
		return false
	}
	welcome := wire.Welcome{
		User: string(user), Epoch: opt.Epoch(), Recovered: recovered, InboxIndex: state.Inbox, HeadSum: state.Heads,
		HeartbeatMS: opt.Heartbeat.Milliseconds(), MaxTextBytes: opt.MaxText, MaxInflight: opt.MaxInflight,
		At: time.Now().UnixMilli(),
	}
	c.queue(func(dst []byte) []byte { return wire.AppendWelcome(dst, f.ID, &welcome) })
	for i := range missed {
		c.queue(func(dst []byte) []byte { return appendDelivery(dst, &missed[i]) })
	}
	c.release()
	c.expires.Store(expires.Unix())
	c.tcp.Through()
	return true
}
