package load

import (
	"fmt"
	"time"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// answer takes one frame from the server. What it says is judged later, from
// the trail; here it only moves the client on.
func (c *client) answer(f trail.Frame) {
	switch f.Type {
	case "msg", "own":
		c.pushed(f)
		return
	}
	q, ok := c.asked[f.ID]
	delete(c.asked, f.ID)
	switch f.Type {
	case "welcome":
		c.welcome(f)
	case "sent":
		c.receipt(f, q)
	case "error":
		c.refused(f, q, ok)
	case "opened":
		c.opened(f, q)
	case "entries":
		c.pulled(f, q)
	case "pong":
		if f.Inbox != nil && f.Inbox.Index > c.inbox {
			c.stats.LostTails++
			c.pull()
		}
	case "messages":
		for _, e := range f.Messages {
			c.saw(e)
		}
	}
}

func (c *client) welcome(f trail.Frame) {
	if f.MaxTextBytes > 0 {
		c.maxText = f.MaxTextBytes
	}
	if c.epoch != f.Epoch {
		c.epoch, c.inbox = f.Epoch, 0
	}
	if f.Inbox != nil && f.Inbox.Index > c.inbox {
		c.pull()
	}
	for _, l := range c.lanes {
		l.opening = false
		if l.conv != "" {
			c.resend(l)
		}
	}
}

func (c *client) receipt(f trail.Frame, q question) {
	m, l := q.msg, q.lane
	if m == nil {
		// To an older attempt, or to a deliberate repetition.
		if l, m = c.find(f.Conversation, f.Key); m == nil {
			return
		}
		delete(c.asked, m.id)
	}
	c.outstanding--
	c.stats.Acked++
	l.acked(m)
	l.newest = max(l.newest, f.Index)
}

func (c *client) find(conv, key string) (*lane, *message) {
	for _, l := range c.lanes {
		if l.conv != conv {
			continue
		}
		for _, m := range l.pending {
			if m.key == key {
				return l, m
			}
		}
	}
	return nil, nil
}

func (c *client) refused(f trail.Frame, q question, known bool) {
	c.stats.refused(f.Code)
	switch {
	case !known:
	case q.lane != nil && q.msg != nil && q.msg.id == f.ID:
		switch {
		case f.Retry:
			c.again(q.lane, time.Duration(f.RetryMS)*time.Millisecond)
		case f.Code == "predecessor_missing" && len(q.lane.pending) > 0 && q.lane.pending[0] != q.msg:
			c.again(q.lane, 0)
		default:
			c.outstanding -= len(q.lane.giveUp())
		}
	case q.kind == "hello":
		c.dead = fmt.Errorf("hello refused: %s", f.Code)
	case q.kind == "open":
		q.lane.opening = false
	case q.kind == "pull":
		c.pulling = false
	}
}

// again plans to send the lane's pending messages once more.
func (c *client) again(l *lane, wait time.Duration) {
	at := time.Now().Add(min(max(wait, 5*time.Millisecond), time.Second))
	if l.resendAt.IsZero() || at.After(l.resendAt) {
		l.resendAt = at
	}
}

func (c *client) opened(f trail.Frame, q question) {
	if q.lane == nil || f.Conversation == "" {
		return
	}
	c.rooms.Add(f.Conversation, c.user.Name, q.lane.peer)
	q.lane.opening = false
	if q.lane.conv == "" {
		q.lane.conv = f.Conversation
	}
}

func (c *client) saw(e trail.Entry) {
	for _, l := range c.lanes {
		if l.conv == e.Conversation {
			l.newest = max(l.newest, e.Index)
		}
	}
}

func (c *client) pushed(f trail.Frame) {
	c.stats.Pushed++
	c.saw(f.Entry)
	switch {
	case f.Inbox == nil || f.Inbox.Index <= c.inbox:
	case f.Inbox.Pre > c.inbox:
		c.pull()
	default:
		c.inbox = f.Inbox.Index
	}
}

// pull asks for the inbox from where the client has it.
func (c *client) pull() {
	if c.pulling {
		return
	}
	c.pulling = true
	c.ask(trail.Frame{Type: "inbox", After: trail.IndexRef(c.inbox), Limit: 100 + c.rng.IntN(401)}, question{kind: "pull"})
}

func (c *client) pulled(f trail.Frame, q question) {
	if q.kind != "pull" {
		return
	}
	c.pulling = false
	for _, e := range f.Entries {
		c.saw(e)
		if e.Inbox != nil {
			c.inbox = max(c.inbox, e.Inbox.Index)
		}
	}
	if len(f.Entries) > 0 && f.Newest > c.inbox {
		c.pull()
	}
}
