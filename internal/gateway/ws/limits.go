package ws

import (
	"context"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Clock is the time as the limits count it, for others who share them.
func (h *Hub) Clock() int64 { return h.clock() }

// clock is the time as the limits count it.
func (h *Hub) clock() int64 { return int64(time.Since(h.began)) }

// shedTick is how often the share of each user is set anew.
const shedTick = 50 * time.Millisecond

// shed watches how busy the server is; see limit.Shed.
func (h *Hub) shed() {
	defer h.wg.Done()
	tick := time.NewTicker(shedTick)
	defer tick.Stop()
	for last := h.began; ; {
		select {
		case now := <-tick.C:
			h.opt.Users.Shed.Tick(now.Sub(last), h.opt.Load())
			last = now
		case <-h.stop:
			return
		}
	}
}

// slower tells a client when to ask again: not a moment too early.
func slower(message string, wait time.Duration) *domain.Error {
	if part := wait % time.Millisecond; part > 0 {
		wait += time.Millisecond - part
	}
	return &domain.Error{Code: domain.Overloaded, Message: message, Retry: wait}
}

// tooFast refuses a frame above the link's rate. Refusing costs, too: who goes
// on regardless is sent away.
func (c *conn) tooFast(f *wire.Frame, wait time.Duration) bool {
	if c.excess.Take(c.hub.opt.Frames, c.at, 1) > 0 {
		c.flush()
		c.finish(wire.CloseTooFast, "too many frames in spite of refusals")
		return false
	}
	c.refuse(f.ID, slower("This link sends too many frames.", wait))
	return true
}

// blank takes a message without frames, which costs as much as one frame.
func (c *conn) blank() bool {
	if wait := c.frames.Take(c.hub.opt.Frames, c.at, 1); wait > 0 {
		return c.tooFast(&wire.Frame{}, wait)
	}
	return true
}

// pinged answers a ping of WebSocket itself, unless the link sends too much.
func (c *conn) pinged(context.Context, []byte) bool {
	return c.frames.Take(c.hub.opt.Frames, c.hub.clock(), 1) == 0
}

// namesPerToken is how many users a request names for one more token: each is
// looked up.
const namesPerToken = 10

// may takes what a request that is no send costs. A ping costs nothing beyond
// its frame.
func (c *conn) may(f *wire.Frame) *domain.Error {
	writes := false
	switch f.Type {
	case wire.Ping:
		return nil
	case wire.Open, wire.Create, wire.Change, wire.Read:
		writes = true
	}
	cost := 1 + int64(len(f.Users)+len(f.Remove))/namesPerToken
	if wait := c.quota.Ask(c.at, cost, writes); wait > 0 {
		return slower("You ask too fast.", wait)
	}
	return nil
}
