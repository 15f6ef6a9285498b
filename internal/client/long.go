package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// maxReceived bounds a WebSocket message of the server: a full page of the
// inbox with the longest texts, each byte escaped.
const maxReceived = 32 << 20

// longLink is one WebSocket after its welcome, with a reader and a writer. The
// loop owns it and calls close, which waits for both.
type longLink struct {
	conn    *websocket.Conn
	welcome *wire.Received
	in      chan []*wire.Received // what came, in order; closed by the reader at the end
	err     error                 // why it ended; valid once in is closed

	ctx    context.Context // ends when the loop gives the link up
	cancel context.CancelFunc
	wait   sync.WaitGroup

	timeout time.Duration
	mu      sync.Mutex
	unsent  [][]byte // frames
	wake    chan struct{}
}

// dialLong connects, says hello and waits for the welcome.
func dialLong(ctx context.Context, o *Options, h *hello) (link, error) {
	ctx, cancelDial := context.WithTimeout(ctx, o.Timeout)
	defer cancelDial()
	token, err := o.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("client: no token: %w", err)
	}
	conn, _, err := websocket.Dial(ctx, o.URL+"/v1/link", &websocket.DialOptions{
		Subprotocols:    []string{wire.Subprotocol},
		CompressionMode: websocket.CompressionDisabled,
		HTTPClient:      &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}},
	})
	if err != nil {
		return nil, fmt.Errorf("client: connecting: %w", err)
	}
	conn.SetReadLimit(maxReceived)
	l := &longLink{conn: conn, in: make(chan []*wire.Received), timeout: o.Timeout, wake: make(chan struct{}, 1)}
	rest, err := l.hello(ctx, h.frame(token, o.Device))
	if err != nil {
		ignoreClosed(conn.CloseNow())
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.wait.Go(func() { l.read(rest) })
	l.wait.Go(l.writeAll)
	return l, nil
}

// frame tells the position, if there is one.
func (h *hello) frame(token, device string) []byte {
	if h.epoch == "" {
		return wire.AppendHello(nil, h.id, token, device)
	}
	return wire.AppendHelloAt(nil, h.id, token, device, h.epoch, h.at.Index, h.at.Heads)
}

func (l *longLink) greeting() *wire.Received          { return l.welcome }
func (l *longLink) received() <-chan []*wire.Received { return l.in }
func (l *longLink) failure() error                    { return l.err }

// hello returns the frames that came together with the welcome.
func (l *longLink) hello(ctx context.Context, frame []byte) (rest []*wire.Received, err error) {
	if l.conn.Subprotocol() != wire.Subprotocol {
		return nil, errors.New("client: this is not a merchantim server")
	}
	if err := l.conn.Write(ctx, websocket.MessageText, frame); err != nil {
		return nil, fmt.Errorf("client: hello: %w", err)
	}
	frames, err := l.receive(ctx)
	if err != nil {
		return nil, err
	}
	switch first := frames[0]; first.Type {
	case "welcome":
		l.welcome = first
		return frames[1:], nil
	case "error":
		return nil, &Refused{Code: first.Code, Message: first.Message}
	default:
		return nil, fmt.Errorf("client: the server began with %q", first.Type)
	}
}

// receive returns the frames of the next WebSocket message, at least one.
func (l *longLink) receive(ctx context.Context) (frames []*wire.Received, err error) {
	for len(frames) == 0 {
		_, message, err := l.conn.Read(ctx)
		if err != nil {
			return nil, fmt.Errorf("client: receiving: %w", err)
		}
		lines := wire.SplitAny(message)
		for line, ok := lines.Next(); ok; line, ok = lines.Next() {
			r, err := wire.Receive(line)
			if err != nil {
				return nil, fmt.Errorf("client: receiving: %w", err)
			}
			frames = append(frames, r)
		}
	}
	return frames, nil
}

func (l *longLink) read(frames []*wire.Received) {
	defer close(l.in)
	for {
		if len(frames) > 0 {
			select {
			case l.in <- frames:
			case <-l.ctx.Done():
				return
			}
		}
		if frames, l.err = l.receive(l.ctx); l.err != nil {
			return
		}
	}
}

// send puts a frame in line for the writer.
func (l *longLink) send(id string, r *request) {
	l.mu.Lock()
	l.unsent = append(l.unsent, r.frame(id))
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// writeAll writes what is in line, gathered. A failed write ends the link: the
// library closes the connection, which the reader sees.
func (l *longLink) writeAll() {
	for {
		select {
		case <-l.wake:
		case <-l.ctx.Done():
			return
		}
		for message := l.gather(); message != nil; message = l.gather() {
			ctx, cancel := context.WithTimeout(context.Background(), l.timeout)
			err := l.conn.Write(ctx, websocket.MessageText, message)
			cancel()
			if err != nil {
				return
			}
		}
	}
}

// gather takes the frames that go into the next WebSocket message, nil if
// there are none.
func (l *longLink) gather() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, size := 0, 0
	for n < len(l.unsent) && n < wire.MaxFrames && size+len(l.unsent[n]) <= wire.MaxMessage {
		size += len(l.unsent[n]) + 1
		n++
	}
	if n == 0 {
		return nil
	}
	message := bytes.Join(l.unsent[:n], []byte{'\n'})
	l.unsent = slices.Delete(l.unsent, 0, n)
	return message
}

// close waits for the reader and the writer to end. Before, if polite, it says
// goodbye to a server that answers within a second.
func (l *longLink) close(polite bool) {
	l.wait.Go(func() {
		for range l.in { // the reader must read on to see the answer
		}
	})
	if polite {
		giveUp := time.AfterFunc(time.Second, l.cancel) // closes the connection under the reader
		ignoreClosed(l.conn.Close(websocket.StatusNormalClosure, ""))
		giveUp.Stop()
	}
	l.cancel()
	ignoreClosed(l.conn.CloseNow())
	l.wait.Wait()
}

// ignoreClosed takes the error of closing a connection: it is gone either way,
// and why it went the reader has said.
func ignoreClosed(error) {}
