package rest

import (
	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// whoIsOnline answers as the long link's presence does without watch.
func whoIsOnline(c *call) *domain.Error {
	known, refusal := c.opt.Service.Acquaintances(c.ctx(), c.user, users(c.named))
	if refusal != nil {
		return refusal
	}
	states := c.opt.Presence(known)
	shown := make([]wire.Seen, len(states))
	for i, s := range states {
		shown[i] = wire.Seen{User: string(s.User), Online: s.Online}
	}
	return c.reply(wire.BarePresence(shown))
}
