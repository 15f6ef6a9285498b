// Package clienttest is a server for tests of clients: it speaks the protocol
// from memory, on the long link and the short one, and does harm on purpose. It
// is no pattern for a real one.
package clienttest

import (
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
// token is the user's name. The heartbeat is 1 s, and a group large above 1,000
// members, if nothing else is set.
type Server struct {
	http     *httptest.Server
	handlers sync.WaitGroup

	mu       sync.Mutex
	epoch    string
	inflight int
	large    int
	beat     time.Duration
	now      int64
	users    map[string]*user
	chats    map[[16]byte]*chat
	harm     func(*wire.Frame) Harm
	lose     func() bool
	ownFirst bool
	noLong   bool
	noShort  bool
	polls    int
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
	rows  map[[16]byte]*row
	news  chan struct{} // closed, and replaced, at each change
}

// chat is a conversation.
type chat struct {
	members map[string]uint64 // and the index that brought each in
	owner   string
	group   bool
	title   string
	large   bool
	chain   []wire.Message
	byKey   map[string]int // by sender and key, place in chain
}

type link struct {
	conn *websocket.Conn
	user string
	own  [][]byte // pushes of what it sent itself, for after the answer
}

// New starts a server that ends with the test.
func New(t *testing.T) *Server {
	s := &Server{
		epoch: "e1", inflight: 16, large: 1000, beat: time.Second, now: 1790000000000,
		users: map[string]*user{}, chats: map[[16]byte]*chat{},
	}
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

// OwnFirst sets that a link hears of what it sent itself before the answer.
func (s *Server) OwnFirst(is bool) { s.set(func() { s.ownFirst = is }) }

// Renumber begins a new epoch.
func (s *Server) Renumber(epoch string) { s.set(func() { s.epoch = epoch }) }

// Inflight sets max_inflight, 16 at first.
func (s *Server) Inflight(n int) { s.set(func() { s.inflight = n }) }

// Large sets above how many members a group is large.
func (s *Server) Large(n int) { s.set(func() { s.large = n }) }

// Heartbeat sets heartbeat_ms for links from now on.
func (s *Server) Heartbeat(beat time.Duration) { s.set(func() { s.beat = beat }) }

// Links sets which kinds of links work from now on; others are refused.
func (s *Server) Links(long, short bool) { s.set(func() { s.noLong, s.noShort = !long, !short }) }

// Polls is how many requests wait on the short link.
func (s *Server) Polls() (n int) {
	s.set(func() { n = s.polls })
	return n
}

func (s *Server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// CutAll cuts every link without a word.
func (s *Server) CutAll() {
	s.CutLong()
	s.http.CloseClientConnections()
}

// CutLong cuts every long link.
func (s *Server) CutLong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		for _, l := range u.links {
			s.handlers.Go(func() { _ = l.conn.CloseNow() })
		}
	}
}

// Chains returns the stored entries of each conversation.
func (s *Server) Chains() map[string][]wire.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	chains := make(map[string][]wire.Message)
	for id, c := range s.chats {
		chains[string(wire.AppendUUID(nil, id))] = slices.Clone(c.chain)
	}
	return chains
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.handlers.Add(1)
	defer s.handlers.Done()
	long := r.URL.Path == "/v1/link"
	var refused bool
	s.set(func() { refused = long && s.noLong || !long && s.noShort })
	switch {
	case refused:
		http.Error(w, "no", http.StatusBadGateway)
	case long:
		s.talk(w, r)
	default:
		s.short(w, r)
	}
}
