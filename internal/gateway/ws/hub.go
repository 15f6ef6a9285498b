// Package ws is the long link: WebSocket connections that speak
// docs/protocol.md. It decodes, checks who asks, calls a use-case, and carries
// answers and pushes back.
//
// A connection has one goroutine that reads, and one on demand that writes:
// frames are appended to its buffer under its lock, and the writer takes all of
// it as one WebSocket message. Nothing waits for a slow client: over the limit
// of its buffer it is closed and resumes later.
package ws

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/limit"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/metrics"
	"github.com/merchantim/merchantim/internal/presence"
)

// Options of a Hub.
type Options struct {
	Node         uint32
	Origins      []string // allowed besides the server's own
	Heartbeat    time.Duration
	HelloTimeout time.Duration
	WriteTimeout time.Duration
	MaxMessage   int
	MaxInflight  int
	QueueBytes   int
	MaxQueued    int64 // bytes that wait for all connections together; stages wait above it
	MaxConns     int
	MaxText      int

	Frames    limit.Rate   // of one link
	Users     *limit.Users // rates of users, for all their links
	UserLinks int          // links of one user; 0: no limit
	// Load is how many records the server is behind its log, and how many it
	// should be at most.
	Load     func() (behind, most float64)
	Presence Presence

	// Verify checks a token and returns its user and end.
	Verify func(token string) (domain.UserID, time.Time, error)
	// Welcome makes sure that a user exists who has a good token.
	Welcome func(ctx context.Context, user domain.UserID) error
	Epoch   func() string
	Service Service
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

// Presence knows who has a link, on whichever node; see package presence.
type Presence interface {
	Enter(user domain.UserID)
	Leave(user domain.UserID)
	Ask(users []domain.UserID) []presence.State
	Watcher(tell func([]presence.State)) *presence.Watcher
	Watch(w *presence.Watcher, users []domain.UserID, answer func([]presence.State)) error
	Drop(w *presence.Watcher)
}

const shards = 64

// Hub holds the connections of this process.
type Hub struct {
	opt   Options
	next  atomic.Uint64 // number of the newest connection
	open  atomic.Int64
	queue atomic.Int64   // bytes that wait to be written, of all connections
	wg    sync.WaitGroup // one a connection, and the sweeper
	stop  chan struct{}
	began time.Time
	seed  maphash.Seed
	conns [shards]connShard
	users [shards]userShard
	count counters

	mu      sync.Mutex
	closing bool
}

type connShard struct {
	mu   sync.RWMutex
	byID map[uint64]*conn
}

type userShard struct {
	mu     sync.RWMutex
	byUser map[domain.UserID][]*conn // lists are replaced, never changed
}

// counters are metrics of the hot frames, resolved once.
type counters struct {
	in, errors metrics.Counters
	send, ping metrics.Counter
	sent, msg  metrics.Counter
	own, pong  metrics.Counter
}

// NewHub makes a hub and starts its sweeper; Close ends both.
func NewHub(opt Options) *Hub {
	h := &Hub{opt: opt, began: time.Now(), seed: maphash.MakeSeed(), stop: make(chan struct{})}
	// A number is never given again, not even by the next process.
	h.next.Store(uint64(time.Now().UnixMilli()) << 20)
	for i := range shards {
		h.conns[i].byID = make(map[uint64]*conn)
		h.users[i].byUser = make(map[domain.UserID][]*conn)
	}
	m := opt.Metrics
	h.count = counters{
		in: m.FramesIn, errors: m.Errors,
		send: m.FramesIn.Get("send"), ping: m.FramesIn.Get("ping"),
		sent: m.FramesOut.Get("sent"), msg: m.FramesOut.Get("msg"),
		own: m.FramesOut.Get("own"), pong: m.FramesOut.Get("pong"),
	}
	h.wg.Add(2)
	go h.sweep()
	go h.shed()
	return h
}

// Connections is how many links are open.
func (h *Hub) Connections() int64 { return h.open.Load() }

func (h *Hub) connShard(id uint64) *connShard { return &h.conns[id%shards] }

func (h *Hub) userShard(id domain.UserID) *userShard {
	return &h.users[maphash.String(h.seed, string(id))%shards]
}

// enter takes an admitted connection in. It returns false if the hub closes,
// and the connection is to be sent away.
func (h *Hub) enter(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.id = h.next.Add(1)
	s := h.connShard(c.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[c.id] = c
	h.opt.Metrics.Connections.Inc()
	return !h.closing
}

// admit counts a connection that is about to be, so that Close waits for it,
// unless the hub closes.
func (h *Hub) admit() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closing {
		h.wg.Add(1)
	}
	return !h.closing
}

func (h *Hub) leave(c *conn) {
	s := h.connShard(c.id)
	s.mu.Lock()
	delete(s.byID, c.id)
	s.mu.Unlock()
	h.signOff(c)
	h.opt.Metrics.Connections.Dec()
	h.open.Add(-1)
	h.wg.Done()
}

func (h *Hub) find(id uint64) *conn {
	s := h.connShard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id]
}

func (h *Hub) of(user domain.UserID) []*conn {
	s := h.userShard(user)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byUser[user]
}

func (h *Hub) each(fn func(*conn)) {
	var all []*conn
	for i := range h.conns {
		s := &h.conns[i]
		s.mu.RLock()
		for _, c := range s.byID {
			all = append(all, c)
		}
		s.mu.RUnlock()
	}
	for _, c := range all {
		fn(c)
	}
}

// sweep closes once a second what is silent, stuck or out of time. It stands
// in for a timer a connection and a context a write.
func (h *Hub) sweep() {
	defer h.wg.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			h.each(func(c *conn) { c.check(now) })
			h.opt.Users.Forget(h.clock())
		case <-h.stop:
			return
		}
	}
}

// Close sends every client away to reconnect and waits for the connections to
// end; those that have not when ctx ends are cut.
func (h *Hub) Close(ctx context.Context) {
	h.mu.Lock()
	if h.closing {
		h.mu.Unlock()
		return
	}
	h.closing = true
	h.mu.Unlock()
	close(h.stop)
	h.each(func(c *conn) { c.shut(wire.CloseGoingAway, "the server goes away") })
	done := make(chan struct{})
	go func() { h.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		h.each(func(c *conn) { c.cut() })
		<-done
	}
}
