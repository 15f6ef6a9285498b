package ws

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/gateway/limit"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/presence"
)

// conn is one connection. Fields without a lock named belong to its reader.
type conn struct {
	hub *Hub
	ws  *websocket.Conn
	id  uint64
	tcp *limit.Conn // the connection below; nil: it came past no gate

	user    domain.UserID // set once, before bind
	device  string        // set with it
	quota   *limit.User   // what the user may still do
	watcher *presence.Watcher
	heard   atomic.Int64 // unix milliseconds of the newest message
	expires atomic.Int64 // unix seconds when the token ends; 0: no hello yet
	began   int64        // unix milliseconds of the connection's begin

	at     int64        // the hub's clock when the current message came
	frames limit.Bucket // frames of this link
	excess limit.Bucket // frames that may be refused as too many

	dec     wire.Decoder
	frame   wire.Frame
	pending []chat.Incoming // sends of the current message, not yet in the log
	arena   []byte          // what pending points into
	member  map[domain.ConversationID]struct{}
	refused map[domain.ConversationID]refused
	done    func(error) // tells of sends that the log could not keep

	inflight atomic.Int32 // sends without an answer
	writing  atomic.Int64 // unix milliseconds when the current write began; 0: none

	mu      sync.Mutex
	out     []byte // frames to write, each ending in a newline
	held    []byte // pushes that came before the welcome was queued
	holding bool
	urgent  bool // out has more than places of own messages
	writer  bool // a writer runs
	closed  bool
	writers sync.WaitGroup // the writer and the closer
}

// maxWrite is the most that one WebSocket message gathers; a frame that is
// longer goes alone.
const maxWrite = 32 << 10

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// queue appends a frame with fn and a newline. It is written at the next kick.
func (c *conn) queue(fn func(dst []byte) []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.urgent = true
	c.add(false, fn)
}

// push is queue for frames that must follow the welcome. One that is not
// urgent is written with the next one that is.
func (c *conn) push(urgent bool, fn func(dst []byte) []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.urgent = c.urgent || urgent
	c.add(c.holding, fn)
}

func (c *conn) add(hold bool, fn func(dst []byte) []byte) {
	if c.closed {
		return
	}
	before := len(c.out) + len(c.held)
	if hold {
		c.held = append(fn(c.held), '\n')
	} else {
		if c.out == nil {
			c.out = (*buffers.Get().(*[]byte))[:0] //nolint:forcetypeassert // only such are put
		}
		c.out = append(fn(c.out), '\n')
	}
	after := len(c.out) + len(c.held)
	c.hub.queue.Add(int64(after - before))
	if after > c.hub.opt.QueueBytes {
		c.hub.opt.Metrics.SlowClosed.Inc()
		c.shutLocked(wire.CloseTooSlow, "you read too slowly; resume")
	}
}

// release lets held pushes follow what is queued now.
func (c *conn) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, c.held...)
	c.held, c.holding, c.urgent = nil, false, true
}

// kick has what is queued written, if any of it is urgent.
func (c *conn) kick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writer || c.closed || !c.urgent {
		return
	}
	c.writer = true
	c.writers.Add(1)
	go c.write()
}

// write empties the buffer and ends.
func (c *conn) write() {
	defer c.writers.Done()
	spare := (*buffers.Get().(*[]byte))[:0] //nolint:forcetypeassert // only such are put
	for {
		c.mu.Lock()
		if !c.urgent || c.closed {
			c.writer = false
			if len(c.out) == 0 || c.closed {
				recycle(c.out)
				c.out = nil
			}
			c.mu.Unlock()
			recycle(spare)
			return
		}
		batch := c.out
		c.out, c.urgent = spare, false
		c.mu.Unlock()
		if err := c.send(batch); err != nil {
			c.cut()
		}
		c.hub.queue.Add(-int64(len(batch)))
		spare = batch[:0]
	}
}

// drop forgets what will not be written any more; c.mu is held.
func (c *conn) drop() {
	c.hub.queue.Add(-int64(len(c.out) + len(c.held)))
	c.out, c.held = c.out[:0], nil
}

// maxSpare keeps buffers that one burst made large from staying so.
const maxSpare = 64 << 10

func recycle(b []byte) {
	if cap(b) > 0 && cap(b) <= maxSpare {
		b = b[:0]
		buffers.Put(&b)
	}
}

func (c *conn) send(batch []byte) error {
	for len(batch) > 0 {
		n := len(batch)
		if n > maxWrite {
			n = bytes.LastIndexByte(batch[:maxWrite], '\n') + 1
			if n == 0 {
				n = bytes.IndexByte(batch, '\n') + 1
			}
		}
		c.writing.Store(time.Now().UnixMilli())
		err := c.ws.Write(context.Background(), websocket.MessageText, batch[:n-1])
		c.writing.Store(0)
		if err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// shut closes the connection with a code; what is queued may be lost.
func (c *conn) shut(code websocket.StatusCode, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shutLocked(code, reason)
}

func (c *conn) shutLocked(code websocket.StatusCode, reason string) {
	if c.closed {
		return
	}
	c.closed = true
	c.drop()
	c.writers.Add(1)
	go func() {
		defer c.writers.Done()
		_ = c.ws.Close(code, reason) // the reader sees the end either way
	}()
}

// finish writes what is queued, then closes with a code. For the reader only.
func (c *conn) finish(code websocket.StatusCode, reason string) {
	c.kick()
	c.writers.Wait()
	c.shut(code, reason)
}

// cut ends the connection without a word.
func (c *conn) cut() {
	c.mu.Lock()
	c.closed = true
	c.drop()
	c.mu.Unlock()
	_ = c.ws.CloseNow()
}

// gone reports whether the connection was told to close, or cut.
func (c *conn) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// end is the reader's last act. A goodbye under way is let finish, since
// cutting would swallow its code; the library bounds it to some seconds.
func (c *conn) end() {
	if !c.gone() {
		c.cut()
	}
	c.writers.Wait()
}

const (
	// lookForRoom is how often a stage looks whether it may push again.
	lookForRoom = 5 * time.Millisecond
	// stuckAfter is how long a write may take while stages wait for room.
	stuckAfter = time.Second
)

// unstick cuts a connection that takes nothing while all others wait for the
// memory that it holds.
func (c *conn) unstick(now time.Time) {
	if began := c.writing.Load(); began != 0 && now.UnixMilli()-began > stuckAfter.Milliseconds() && !c.gone() {
		c.hub.opt.Metrics.SlowClosed.Inc()
		c.cut()
	}
}

// check closes a connection that is silent, stuck or out of time.
func (c *conn) check(now time.Time) {
	if c.gone() { // cutting it now would wait for its goodbye
		return
	}
	opt, ms := &c.hub.opt, now.UnixMilli()
	expires := c.expires.Load()
	switch began := c.writing.Load(); {
	case began != 0 && ms-began > opt.WriteTimeout.Milliseconds():
		c.hub.opt.Metrics.SlowClosed.Inc()
		c.cut()
	case expires == 0 && ms-c.began > opt.HelloTimeout.Milliseconds():
		c.shut(wire.CloseIdle, "no hello in time")
	case expires != 0 && now.Unix() > expires:
		c.shut(wire.CloseUnauthenticated, "the token has expired")
	case ms-c.heard.Load() > 2*opt.Heartbeat.Milliseconds():
		c.shut(wire.CloseIdle, "no frame for too long")
	}
}
