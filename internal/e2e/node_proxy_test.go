//go:build node

package e2e

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// passing is what a relay does with long links.
type passing int

const (
	pass   passing = iota
	refuse         // they are cut, and new ones as well
	mute           // they stay, and nothing comes through
)

// relay passes bytes on to a server, whose address may change.
type relay struct {
	net.Listener
	work sync.WaitGroup

	mu     sync.Mutex
	target string
	longs  passing
	open   map[net.Conn]bool // whether it is a long link
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: ln, target: target, open: make(map[net.Conn]bool)}
	r.work.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return // closed by the test's end
			}
			r.work.Go(func() { r.carry(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close() // nothing is lost by it
		r.cut(false)
		r.work.Wait()
	})
	return r
}

func (r *relay) url() string { return "http://" + r.Addr().String() + "/v1" }

// to sends new connections elsewhere.
func (r *relay) to(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
}

// let says what becomes of long links. Those that were muted never recover.
func (r *relay) let(longs passing) {
	r.mu.Lock()
	was := r.longs
	r.longs = longs
	r.mu.Unlock()
	if longs == refuse || was == mute {
		r.cut(true)
	}
}

// cut ends connections: the long links, or all.
func (r *relay) cut(onlyLong bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn, long := range r.open {
		if long || !onlyLong {
			_ = conn.Close() // it may be closed already
		}
	}
}

// enter books a connection and says whether it may go on, and to where.
func (r *relay) enter(conn net.Conn, long bool) (target string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[conn] = long
	return r.target, !long || r.longs != refuse
}

func (r *relay) leave(conn net.Conn) {
	_ = conn.Close() // it may be closed already
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, conn)
}

func (r *relay) muted(long bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return long && r.longs == mute
}

func (r *relay) carry(from net.Conn) {
	defer r.leave(from)
	if _, ok := r.enter(from, false); !ok {
		return
	}
	in := bufio.NewReader(from)
	first, err := in.Peek(len("GET /v1/link"))
	if err != nil {
		return
	}
	long := bytes.Equal(first, []byte("GET /v1/link"))
	target, ok := r.enter(from, long)
	if !ok {
		return
	}
	to, err := net.Dial("tcp", target)
	if err != nil {
		return // the server is down: so is the connection
	}
	defer r.leave(to)
	r.enter(to, long)
	r.work.Go(func() {
		defer from.Close()
		r.copy(from, to, long)
	})
	r.copy(to, in, long)
}

// copy passes bytes on until an end, or drops them while long links are mute.
func (r *relay) copy(to io.Writer, from io.Reader, long bool) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !r.muted(long) {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
