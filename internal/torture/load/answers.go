package load

import (
	"fmt"
	"time"

	"github.com/merchantim/merchantim/internal/torture/keep"
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
		m := c.copy.Pong(f)
		if m.Inbox || m.Heads {
			c.stats.LostTails++
		}
		c.want(m)
	case "heads":
		c.heads = false
		c.want(c.copy.Heads(f.Heads))
	case "conversations":
		c.listed(f, q)
	case "messages":
		c.read1(f, q)
	}
}

func (c *client) welcome(f trail.Frame) {
	if f.MaxTextBytes > 0 {
		c.maxText = f.MaxTextBytes
	}
	if f.Recovered {
		c.stats.Recovered++
	}
	m := c.copy.Welcome(f)
	for _, e := range f.Missed {
		c.pushed(trail.Frame{Type: "msg", Entry: e})
	}
	c.want(m)
	if c.settling {
		return
	}
	for _, l := range c.lanes {
		l.opening = false
		if l.conv != "" {
			c.resend(l)
		}
	}
	for _, g := range c.founding {
		g.asked = false
	}
	c.crossed()
}

// want asks for what is missing.
func (c *client) want(m keep.Missing) {
	c.seeking = c.seeking || m.Inbox || m.Heads || len(m.Groups) > 0
	if m.Inbox {
		c.pull()
	}
	if m.Heads && !c.heads {
		c.heads = true
		c.ask(trail.Frame{Type: "heads"}, question{})
	}
	for _, conv := range m.Groups {
		c.fill(conv)
	}
}

// fill pulls the history of a group from where the client has it.
func (c *client) fill(conv string) {
	g := c.copy.Group(conv)
	if c.filling[conv] || !g.In {
		return
	}
	c.filling[conv] = true
	c.stats.Gaps++
	c.ask(trail.Frame{Type: "history", After: trail.IndexRef(g.Have), Limit: 50 + c.rng.IntN(151), Entry: trail.Entry{Conversation: conv}},
		question{kind: "fill", conv: conv, after: g.Have})
}

// read1 takes a page of history.
func (c *client) read1(f trail.Frame, q question) {
	for _, e := range f.Messages {
		c.saw(e)
	}
	if q.conv == "" {
		return
	}
	c.copy.Messages(q.conv, q.after, f.Messages)
	if q.kind != "fill" {
		return
	}
	delete(c.filling, q.conv)
	if f.More && len(f.Messages) > 0 {
		c.fill(q.conv)
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
	c.denied = true
	if f.Retry {
		c.patience = time.Now().Add(min(time.Duration(f.RetryMS)*time.Millisecond, time.Second))
	}
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
	case q.kind == "poll":
		c.polling = false
	case q.kind == "list":
		c.listing = false
		c.copy.Broken()
	case q.kind == "fill":
		delete(c.filling, q.conv)
	case q.kind == "heads":
		c.heads = false
	case q.found != nil:
		q.found.asked = false
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
	if q.found != nil {
		c.begun(f, q.found)
	}
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
	if e.Own() {
		c.learn(e)
	}
	for _, l := range c.lanes {
		if l.conv == e.Conversation {
			l.newest = max(l.newest, e.Index)
		}
	}
}

func (c *client) pushed(f trail.Frame) {
	c.stats.Pushed++
	c.saw(f.Entry)
	c.want(c.copy.Push(f))
}

// pull asks for the inbox from where the client has it.
func (c *client) pull() {
	if c.pulling {
		return
	}
	c.pulling = true
	c.ask(trail.Frame{Type: "inbox", After: trail.IndexRef(c.copy.Inbox), Limit: 100 + c.rng.IntN(401)}, question{kind: "pull"})
}

func (c *client) pulled(f trail.Frame, q question) {
	if q.kind == "poll" {
		c.polling = false
	}
	if q.kind == "pull" {
		c.pulling = false
	}
	for _, e := range f.Entries {
		c.saw(e)
	}
	c.want(c.copy.Entries(f.Entries)) // a browsed page, too, may go beyond what is kept
	c.want(c.copy.Newest(f))
	if q.kind == "pull" && len(f.Entries) > 0 && f.Newest > c.copy.Inbox {
		c.pull()
	}
}
