package ws

import (
	"context"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/presence"
)

// watchRetry is how long one waits who cannot watch for want of room.
const watchRetry = 30 * time.Second

// presence answers who is online and, where asked to, has changes told.
func (c *conn) presence(ctx context.Context, f *wire.Frame) *domain.Error {
	known, refusal := c.hub.opt.Service.Acquaintances(ctx, c.user, users(f.Users))
	if refusal != nil {
		return refusal
	}
	board := c.hub.opt.Presence
	if !f.Watch {
		c.showPresence(f.ID, board.Ask(known))
		return nil
	}
	if c.watcher == nil {
		c.watcher = board.Watcher(func(changes []presence.State) {
			c.showPresence(nil, changes)
			c.kick()
		})
	}
	if err := board.Watch(c.watcher, known, func(s []presence.State) { c.showPresence(f.ID, s) }); err != nil {
		return &domain.Error{Code: domain.Overloaded, Message: "Too many watch already.", Retry: watchRetry}
	}
	return nil
}

func (c *conn) showPresence(id []byte, states []presence.State) {
	seen := make([]wire.Seen, len(states))
	for i, s := range states {
		seen[i] = wire.Seen{User: string(s.User), Online: s.Online}
	}
	c.queue(func(dst []byte) []byte { return wire.AppendPresence(dst, id, seen) })
}
