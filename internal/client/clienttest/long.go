package clienttest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/coder/websocket"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// The long link.

func (s *Server) talk(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		return
	}
	conn.SetReadLimit(wire.MaxMessage)
	l := &link{conn: conn}
	code := s.hear(l)
	s.forget(l)
	if code != 0 {
		_ = conn.Close(code, "")
	}
	_ = conn.CloseNow()
}

// hear returns what to close with, 0 to say nothing.
func (s *Server) hear(l *link) websocket.StatusCode {
	var d wire.Decoder
	for {
		_, message, err := l.conn.Read(context.Background())
		if err != nil {
			return 0
		}
		lines, err := wire.Split(message)
		if err != nil {
			return wire.CloseBadFrame
		}
		for line, ok := lines.Next(); ok; line, ok = lines.Next() {
			var frame wire.Frame
			if err := d.Next(line, &frame); err != nil {
				panic(err) // a client under test must never send such a frame
			}
			if h := s.answer(l, &frame); h.Cut {
				return h.Close
			}
		}
	}
}

func (s *Server) forget(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[l.user]; u != nil {
		u.links = slices.DeleteFunc(u.links, func(x *link) bool { return x == l })
	}
}

func (s *Server) answer(l *link, r *wire.Frame) Harm {
	s.mu.Lock()
	defer s.mu.Unlock()
	frame, h := s.harmed(l, r)
	if frame != nil && !h.Cut {
		l.write(frame)
		for _, own := range l.own {
			s.push(l, own)
		}
		l.own = nil
	}
	return h
}

// harmed returns the answer to a request, nil if there is none.
func (s *Server) harmed(l *link, r *wire.Frame) (answer []byte, h Harm) {
	if s.harm != nil {
		h = s.harm(r)
	}
	switch {
	case h.Ignore || h.Cut && h.Unstored:
		return nil, h
	case h.Refuse != "":
		return wire.AppendError(nil, r.ID, h.Refuse, "No.", 1), h
	default:
		return s.do(l, r), h
	}
}

func (l *link) write(frame []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = l.conn.Write(ctx, websocket.MessageText, append(frame, '\n')) // a reader sees that it failed
}

// push writes a push: now and then twice, or not at all.
func (s *Server) push(l *link, frame []byte) {
	for range 1 + rand.IntN(2)*rand.IntN(2) {
		if s.lose == nil || !s.lose() {
			l.write(frame)
		}
	}
}
