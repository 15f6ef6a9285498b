// Package link is the torture's own bare client of both links: raw frames, no
// reconnecting, no bookkeeping. It shares nothing with internal/client.
//
// The short link looks like the long one: a request is the same frame, which
// becomes the HTTP request that docs/rest.md has for it, and its answer becomes
// a frame again (see answer). So clients and checker know one protocol.
package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// Limits of the protocol for one WebSocket message of a client.
const (
	MaxBytes  = 65_536
	MaxFrames = 256
)

// readLimit holds the largest answer: 500 inbox entries with the longest text,
// all of it escaped.
const readLimit = 64 << 20

// writeTimeout bounds a write to a server that does not read.
const writeTimeout = 5 * time.Second

// Received is one WebSocket message: its frames, raw and decoded. Err ends the
// link and is always the last; Code is its close code, 0 if there was none.
type Received struct {
	Raw    [][]byte
	Frames []trail.Frame
	Err    error
	Code   int
}

// Link is one connection. Send and Close belong to its owner; what arrives is
// read from In by the owner, until an element with Err.
type Link struct {
	In   <-chan Received
	wire wire
}

// wire carries the frames of a link.
type wire interface {
	send(frames [][]byte) error
	close()
}

// Send hands over frames, on the long link as one WebSocket message. The caller
// keeps to MaxBytes and MaxFrames.
func (l *Link) Send(frames ...[]byte) error { return l.wire.send(frames) }

// Close drops the connection without a word and waits for its goroutines.
func (l *Link) Close() { l.wire.close() }

// long is the long link.
type long struct {
	conn *websocket.Conn
	done chan struct{} // closed when the reader has ended
	stop chan struct{} // closed by close
}

// Dial connects to the server at addr (host:port). ctx bounds the dial only.
func Dial(ctx context.Context, addr string) (*Link, error) {
	tr := &http.Transport{DisableKeepAlives: true}
	conn, resp, err := websocket.Dial(ctx, "ws://"+addr+"/v1/link", &websocket.DialOptions{
		HTTPClient:   &http.Client{Transport: tr},
		Subprotocols: []string{"merchantim.v1.json"},
	})
	if resp != nil && resp.Body != nil && err != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	conn.SetReadLimit(readLimit)
	in := make(chan Received, 16)
	l := &long{conn: conn, done: make(chan struct{}), stop: make(chan struct{})}
	go l.read(in)
	return &Link{In: in, wire: l}, nil
}

func (l *long) send(frames [][]byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if err := l.conn.Write(ctx, websocket.MessageText, bytes.Join(frames, []byte{'\n'})); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	return nil
}

func (l *long) close() {
	close(l.stop)
	_ = l.conn.CloseNow()
	<-l.done
}

func (l *long) read(in chan<- Received) {
	defer close(l.done)
	for {
		kind, data, err := l.conn.Read(context.Background())
		r := Received{Err: err}
		switch {
		case err != nil:
			if code := websocket.CloseStatus(err); code > 0 {
				r.Code = int(code)
			}
		case kind != websocket.MessageText:
			r.Err = errors.New("link: a binary message")
		default:
			r.Raw, r.Frames = split(data)
		}
		select {
		case in <- r:
		case <-l.stop:
			return
		}
		if r.Err != nil {
			return
		}
	}
}

// split cuts a message into frames. A frame that cannot be decoded has a zero
// Frame beside its raw bytes.
func split(data []byte) ([][]byte, []trail.Frame) {
	var raw [][]byte
	for _, line := range bytes.Split(data, []byte{'\n'}) {
		if len(line) > 0 {
			raw = append(raw, line)
		}
	}
	frames := make([]trail.Frame, len(raw))
	for i, line := range raw {
		if json.Unmarshal(line, &frames[i]) != nil {
			frames[i] = trail.Frame{}
		}
	}
	return raw, frames
}
