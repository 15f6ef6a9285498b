package limit

import (
	"container/list"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
)

// GateOptions bound the connections of a listener; 0 is no limit.
type GateOptions struct {
	// PerAddress is how many connections one address may have whose first
	// request was read.
	PerAddress int
	// HalfOpen and HalfOpenPerAddress are how many may be there, in all and of
	// one address, that have not yet said who they are.
	HalfOpen, HalfOpenPerAddress int
}

// Gate is a listener that counts connections by address. An IPv6 address stands
// for its network of 64 bits.
//
// A new connection is half-open: it costs the server, and nobody has vouched
// for it. Over a limit of those the oldest gives way, not the newest: an honest
// client is through after one round trip, and somebody who opens connections
// and leaves them so only pushes out his own.
type Gate struct {
	net.Listener
	opt GateOptions

	mu   sync.Mutex
	from map[netip.Addr]*address
	half list.List // of *Conn, oldest first

	evicted atomic.Int64
}

type address struct {
	all     int // connections
	counted int // of them, those whose first request was read
	half    list.List
}

// NewGate puts a gate in front of a TCP listener.
func NewGate(l net.Listener, opt GateOptions) *Gate {
	return &Gate{Listener: l, opt: opt, from: make(map[netip.Addr]*address)}
}

// Conn is a connection of a gate. It is a whole TCP connection, so that nothing
// that the net package does for one is lost.
type Conn struct {
	*net.TCPConn
	gate *Gate
	addr netip.Addr

	// Under the gate's lock.
	counted   bool
	closed    bool
	inAll, in *list.Element // nil: no longer half-open
}

// Accept waits for the next connection.
func (g *Gate) Accept() (net.Conn, error) {
	raw, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		return raw, nil
	}
	c := &Conn{TCPConn: tcp, gate: g, addr: network(tcp.RemoteAddr())}
	for _, old := range g.enter(c) {
		_ = old.Close() // nobody waits for it
	}
	return c, nil
}

func network(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}

// enter takes a connection in and returns those that give way.
func (g *Gate) enter(c *Conn) (out []*Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.from[c.addr]
	if a == nil {
		a = &address{}
		g.from[c.addr] = a
	}
	a.all++
	c.inAll, c.in = g.half.PushBack(c), a.half.PushBack(c)
	if g.opt.HalfOpenPerAddress > 0 && a.half.Len() > g.opt.HalfOpenPerAddress {
		out = append(out, g.oldest(&a.half))
	}
	if g.opt.HalfOpen > 0 && g.half.Len() > g.opt.HalfOpen {
		out = append(out, g.oldest(&g.half))
	}
	g.evicted.Add(int64(len(out)))
	return out
}

func (g *Gate) oldest(l *list.List) *Conn {
	c, _ := l.Front().Value.(*Conn)
	g.settle(c)
	return c
}

// settle takes a connection off the lists of half-open ones.
func (g *Gate) settle(c *Conn) {
	if c.inAll == nil {
		return
	}
	g.half.Remove(c.inAll)
	g.from[c.addr].half.Remove(c.in)
	c.inAll, c.in = nil, nil
}

// Close ends the connection and gives its place back.
func (c *Conn) Close() error {
	c.gate.leave(c)
	return c.TCPConn.Close()
}

func (g *Gate) leave(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	g.settle(c)
	a := g.from[c.addr]
	if a.all--; a.all == 0 {
		delete(g.from, c.addr)
	}
	if c.counted {
		a.counted--
	}
}

// Through says that somebody has vouched for the connection. A nil Conn is one
// that came past no gate.
func (c *Conn) Through() {
	if c == nil {
		return
	}
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	c.gate.settle(c)
}

// HalfOpen is how many connections are half-open.
func (g *Gate) HalfOpen() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return int64(g.half.Len())
}

// Evicted is how many half-open connections gave way to newer ones.
func (g *Gate) Evicted() int64 { return g.evicted.Load() }

type connKey struct{}

// Context is the ConnContext of an http.Server behind the gate.
func (g *Gate) Context(ctx context.Context, c net.Conn) context.Context {
	if own, ok := c.(*Conn); ok {
		return context.WithValue(ctx, connKey{}, own)
	}
	return ctx
}

// ConnOf is the gate's connection that a request came by, or nil.
func ConnOf(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// tooMany is a problem as the short link has it (RFC 9457).
const tooMany = `{"type":"/v1/docs#overloaded","title":"Too much at once","status":429,` +
	`"detail":"This address has too many connections.","code":"overloaded","retry":true,"retry_ms":5000}`

// Handler refuses requests of an address that has too many connections. A
// connection that asked for anything but an upgrade is no longer half-open.
func (g *Gate) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := ConnOf(r.Context()); c != nil && !g.count(c, r.Header.Get("Upgrade") != "") {
			w.Header().Set("Retry-After", "5")
			w.Header().Set("Connection", "close")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, tooMany) // a client that is gone hears nothing
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (g *Gate) count(c *Conn, upgrades bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.counted {
		a := g.from[c.addr]
		if c.closed || g.opt.PerAddress > 0 && a.counted >= g.opt.PerAddress {
			return false
		}
		a.counted++
		c.counted = true
	}
	if !upgrades {
		g.settle(c)
	}
	return true
}
