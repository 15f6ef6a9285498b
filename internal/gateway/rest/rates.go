package rest

import (
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// namesPerToken is how many users a request names for one more token: each is
// looked up.
const namesPerToken = 10

// may takes what a request costs its user, out of the same purse as the long
// link's frames. To sign in costs nothing, as hello does.
func (c *call) may(op *operation) *domain.Error {
	if op.public || op.kind == wire.Hello {
		return nil
	}
	purse := c.opt.Users.Use(c.user)
	defer c.opt.Users.Release(c.user)
	now := c.opt.Clock()
	if op.kind == wire.Send {
		return slower("You send too fast.", purse.Send(now))
	}
	cost := 1 + int64(len(c.named)+len(c.frame.Users)+len(c.frame.Remove))/namesPerToken
	return slower("You ask too fast.", purse.Ask(now, cost, op.body != nil))
}

// slower tells a client when to ask again: not a moment too early. 0 is no
// refusal.
func slower(message string, wait time.Duration) *domain.Error {
	if wait <= 0 {
		return nil
	}
	return &domain.Error{Code: domain.Overloaded, Message: message, Retry: (wait + time.Millisecond - 1).Truncate(time.Millisecond)}
}

// took tells of a message that the log took or was too busy for, by which the
// share of each user is set.
func (c *call) took(refusal *domain.Error) {
	switch {
	case refusal == nil:
		c.opt.Users.Shed.Took(1)
	case refusal.Code == domain.Overloaded:
		c.opt.Users.Shed.Refused()
	}
}
