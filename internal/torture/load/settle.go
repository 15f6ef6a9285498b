package load

import (
	"context"
	"errors"
	"time"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

const (
	settlers     = 4                // clients at once
	settleTime   = 30 * time.Second // for one
	settleRounds = 40               // after which a client is as whole as it gets
)

var errUnsettled = errors.New("the client did not get all that it lacks")

// settle comes back with the client's true position, gets what is missing, and
// says so; then comes back once more, on the other link, with everything.
// Nothing is sent any more: what has no receipt stays open. If a server at rest
// never gives all, the client says that it is whole all the same, and the
// checker finds what it lacks.
func (c *client) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	c.settling = true
	short := c.stays || c.moves && c.rng.IntN(2) == 0
	err := c.visit(ctx, short, func() error { return c.gather(ctx) })
	if err == nil {
		err = c.visit(ctx, !short, func() error { return c.answered(ctx) })
	}
	if err != nil {
		c.stats.Stalls++
		return
	}
	c.stats.Settled++
}

// visit makes a link, says hello and does something.
func (c *client) visit(ctx context.Context, short bool, do func() error) error {
	if err := c.dial(ctx, short); err != nil {
		return err
	}
	f := trail.Frame{Type: "hello", Token: c.user.Token, Device: c.device}
	if c.copy.Epoch != "" {
		f.Inbox = c.copy.Position()
	}
	c.ask(f, question{kind: "hello"})
	err := do()
	why := "done"
	if err != nil {
		why = err.Error()
	}
	c.link.Close()
	c.trail.Down(c.links, 0, why)
	return err
}

// gather asks until a round shows nothing that is missing.
func (c *client) gather(ctx context.Context) error {
	for round := 0; ; round++ {
		if err := c.answered(ctx); err != nil {
			return err
		}
		if round > 0 && !c.seeking && !c.denied || round == settleRounds {
			c.trail.Whole(c.links)
			return nil
		}
		c.look()
	}
}

// answered waits until all that was asked has its answer, and what was asked
// because of that.
func (c *client) answered(ctx context.Context) error {
	for c.flush(); c.dead == nil && len(c.asked) > 0; c.flush() {
		select {
		case r := <-c.link.In:
			c.hear(r)
			c.dead = r.Err
		case <-ctx.Done():
			return errUnsettled
		}
	}
	return c.dead
}

// look asks for the newest state of everything.
func (c *client) look() {
	c.seeking, c.denied = false, false
	c.list(true)
	c.heads = true
	c.ask(trail.Frame{Type: "heads"}, question{})
	if c.short {
		c.poll(1)
		return
	}
	c.ask(trail.Frame{Type: "ping"}, question{})
}
