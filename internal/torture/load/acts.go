package load

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// act does what the client's rate allows at a tick.
func (c *client) act() {
	if time.Now().After(c.patience) {
		c.openLanes()
		c.askFoundings()
	}
	if c.foundings == maxFoundings || c.rng.IntN(600) == 0 {
		c.found()
	}
	if l := c.lanes[c.rng.IntN(len(c.lanes))]; l.group && c.rng.IntN(40) == 0 && c.copy.Group(l.conv).In {
		c.reshape(l)
	}
	for _, l := range c.lanes {
		if !l.resendAt.IsZero() && time.Now().After(l.resendAt) {
			c.resend(l)
		}
	}
	if time.Since(c.pinged) > time.Second {
		c.pinged = time.Now()
		c.checkStall()
		if !c.short {
			c.ask(trail.Frame{Type: "ping"}, question{})
		}
	}
	if c.short {
		c.poll(1 + c.rng.Int64N(maxPoll))
	}
	c.budget = min(c.budget+c.rate*tick.Seconds(), 2*float64(c.cfg.Window))
	for c.budget >= 1 && c.dead == nil {
		c.budget--
		l := c.lanes[c.rng.IntN(len(c.lanes))]
		switch {
		case l.conv == "":
		case l.group && !c.copy.Group(l.conv).In:
			c.outside(l)
		default:
			c.one(l)
		}
	}
}

// one act on a lane: a burst of messages most of the time.
func (c *client) one(l *lane) {
	switch p := c.rng.IntN(1000); {
	case p < 25:
		c.repeat(l)
	case p < 40:
		c.clash(l)
	case p < 55:
		c.orphans(l)
	case p < 63:
		c.trespass()
	case p < 70:
		c.malformed(l)
	case p < 100:
		c.read(l)
	case p < 112:
		c.history(l)
	case p < 117:
		c.browse()
	case p < 125:
		c.list(c.rng.IntN(3) > 0)
	case p < 128 && !l.group:
		c.ask(trail.Frame{Type: "open", With: l.peer}, question{lane: l})
	case p < 128:
		c.ask(trail.Frame{Type: "members", Limit: 1 + c.rng.IntN(6), Entry: trail.Entry{Conversation: l.conv}}, question{})
	case p < 130, p < 140 && c.moves:
		c.dead = errors.New("the client dropped the link")
	default:
		c.burst(l)
	}
}

func (c *client) burst(l *lane) {
	c.budget++ // the messages are what counts
	for n := 1 + c.rng.IntN(6); n > 0 && c.outstanding < c.cfg.Window; n-- {
		// A lane that waits to repeat takes no new message before.
		if !l.resendAt.IsZero() {
			return
		}
		c.say(l)
		c.budget--
	}
}

func (c *client) openLanes() {
	for _, l := range c.lanes {
		if l.conv == "" && !l.opening && !l.group {
			l.opening = true
			c.ask(trail.Frame{Type: "open", With: l.peer}, question{lane: l})
		}
	}
}

// checkStall gives up a link on which something waits too long for its answer.
func (c *client) checkStall() {
	for id, q := range c.asked {
		at := q.at
		if q.msg != nil {
			at = q.msg.sent
		}
		if time.Since(at) > stallTime {
			c.stats.Stalls++
			c.dead = fmt.Errorf("no answer to request %s for %v", id, stallTime)
		}
	}
}

// deliberate sends something that is not a new message, and what it deserves.
func (c *client) deliberate(x trail.Expect, f trail.Frame) {
	f.ID = c.nextID()
	c.asked[f.ID] = question{kind: "deliberate", at: time.Now()}
	raw := encode(c.rng, f)
	c.trail.Intend(c.links, x, raw)
	c.queue(raw)
}

// repeat sends a message again that has its receipt, or still waits for it.
func (c *client) repeat(l *lane) {
	from := l.recent
	if len(l.pending) > 0 && c.rng.IntN(2) == 0 {
		from = l.pending
	}
	if len(from) == 0 {
		return
	}
	m := from[c.rng.IntN(len(from))]
	c.deliberate(trail.Same, l.frame("", m.key, m.after, m.text))
}

// clash sends another text under a key that has its receipt.
func (c *client) clash(l *lane) {
	if len(l.recent) == 0 {
		return
	}
	m := l.recent[c.rng.IntN(len(l.recent))]
	c.deliberate(trail.Clash, l.frame("", m.key, m.after, "another text "+c.mark()))
}

// orphans sends a message after one that never was, and one after that.
func (c *client) orphans(l *lane) {
	key := "orphan-" + c.mark()
	c.deliberate(trail.Refused, l.frame("", key, "never-"+key, c.mark()))
	c.deliberate(trail.Refused, l.frame("", key+"-child", key, c.mark()))
}

// trespass sends into a conversation of others, or into none at all.
func (c *client) trespass() {
	stranger := lane{conv: c.rooms.foreign(c.rng, c.user.Name)}
	x := trail.Foreign
	if stranger.conv == "" || c.rng.IntN(4) == 0 {
		stranger.conv, x = uuid.NewString(), trail.Unknown
	}
	c.deliberate(x, stranger.frame("", "trespass-"+c.mark(), "", c.mark()))
}

// malformed sends an empty text or one above the limit.
func (c *client) malformed(l *lane) {
	if c.rng.IntN(4) > 0 {
		c.deliberate(trail.Invalid, l.frame("", "empty-"+c.mark(), "", ""))
		return
	}
	long := make([]byte, c.maxText+1)
	for i := range long {
		long[i] = 'x'
	}
	c.deliberate(trail.Large, l.frame("", "long-"+c.mark(), "", string(long)))
}

// read moves the read position: mostly to the newest index seen, else somewhere before.
func (c *client) read(l *lane) {
	if l.newest == 0 {
		return
	}
	index := l.newest
	if c.rng.IntN(3) == 0 {
		index = 1 + c.rng.Int64N(l.newest)
	}
	c.ask(trail.Frame{Type: "read", Entry: trail.Entry{Conversation: l.conv, Index: index}}, question{})
}

func (c *client) history(l *lane) {
	f := trail.Frame{Type: "history", Limit: 1 + c.rng.IntN(30), Entry: trail.Entry{Conversation: l.conv}}
	if c.rng.IntN(20) == 0 {
		f.Limit = 200
	}
	q := question{conv: l.conv, after: -1}
	switch c.rng.IntN(3) {
	case 0:
		q.after = c.rng.Int64N(l.newest + 1)
		f.After = trail.IndexRef(q.after)
	case 1:
		f.Before = 1 + c.rng.Int64N(l.newest+2)
	}
	c.ask(f, q)
}

// browse reads a page of the inbox from anywhere.
func (c *client) browse() {
	c.ask(trail.Frame{Type: "inbox", After: trail.IndexRef(c.rng.Int64N(c.copy.Inbox + 1)), Limit: 1 + c.rng.IntN(100)}, question{})
}
