// Package clienttest is a server for tests of clients: it speaks the protocol
// from memory, and does harm on purpose. It is no pattern for a real one.
package clienttest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Server refuses, cuts links before and after storing, and loses pushes. A
// token is the user's name. The heartbeat is 1 s if nothing else is set.
type Server struct {
	http     *httptest.Server
	handlers sync.WaitGroup

	mu       sync.Mutex
	epoch    string
	inflight int
	beat     time.Duration
	now      int64
	users    map[string]*user
	chats    map[[16]byte]*chat
	harm     func(*wire.Frame) Harm
	lose     func() bool
}

// Harm is what is done to a request, instead of answering it.
type Harm struct {
	Refuse   wire.Code            // it is refused
	Ignore   bool                 // nothing is done and nothing said
	Cut      bool                 // the link is cut
	Unstored bool                 // with Cut: before storing
	Close    websocket.StatusCode // with Cut: said at the end
}

type user struct {
	inbox []wire.Entry
	links []*link
}

type chat struct {
	members [2]string
	chain   []wire.Message
	byKey   map[string]int // by sender and key, place in chain
}

type link struct {
	conn *websocket.Conn
	user string
}

// New starts a server that ends with the test.
func New(t *testing.T) *Server {
	s := &Server{epoch: "e1", inflight: 16, beat: time.Second, now: 1790000000000, users: map[string]*user{}, chats: map[[16]byte]*chat{}}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// Close cuts all links and waits for their ends.
func (s *Server) Close() {
	s.CutAll()
	s.http.Close()
	s.handlers.Wait()
}

// Address is what a client connects to.
func (s *Server) Address() string { return "ws" + strings.TrimPrefix(s.http.URL, "http") }

// Harm sets what is done to each request from now on; nil: nothing.
func (s *Server) Harm(harm func(*wire.Frame) Harm) { s.set(func() { s.harm = harm }) }

// Lose sets whether a push is lost.
func (s *Server) Lose(lose func() bool) { s.set(func() { s.lose = lose }) }

// Renumber begins a new epoch.
func (s *Server) Renumber(epoch string) { s.set(func() { s.epoch = epoch }) }

// Inflight sets max_inflight, 16 at first.
func (s *Server) Inflight(n int) { s.set(func() { s.inflight = n }) }

// Heartbeat sets heartbeat_ms for links from now on.
func (s *Server) Heartbeat(beat time.Duration) { s.set(func() { s.beat = beat }) }

func (s *Server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// CutAll cuts every link without a word.
func (s *Server) CutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		for _, l := range u.links {
			s.handlers.Go(func() { _ = l.conn.CloseNow() })
		}
	}
}

// Chains returns the stored messages of each conversation.
func (s *Server) Chains() (chains [][]wire.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.chats {
		chains = append(chains, slices.Clone(c.chain))
	}
	return chains
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.handlers.Add(1)
	defer s.handlers.Done()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		return
	}
	conn.SetReadLimit(wire.MaxMessage)
	l := &link{conn: conn}
	code := s.talk(l)
	s.forget(l)
	if code != 0 {
		_ = conn.Close(code, "")
	}
	_ = conn.CloseNow()
}

// talk returns what to close with, 0 to say nothing.
func (s *Server) talk(l *link) websocket.StatusCode {
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

func (s *Server) answer(l *link, r *wire.Frame) (h Harm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.harm != nil {
		h = s.harm(r)
	}
	if h.Ignore || h.Cut && h.Unstored {
		return h
	}
	frame := wire.AppendError(nil, r.ID, h.Refuse, "No.", 1)
	if h.Refuse == "" {
		frame = s.do(l, r)
	}
	if !h.Cut {
		l.write(frame)
	}
	return h
}

func (l *link) write(frame []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = l.conn.Write(ctx, websocket.MessageText, append(frame, '\n')) // a reader sees that it failed
}

// pushes says how often a push is written: now and then twice, or not at all.
func (s *Server) pushes() (times int) {
	for range 1 + rand.IntN(2)*rand.IntN(2) {
		if s.lose == nil || !s.lose() {
			times++
		}
	}
	return times
}
