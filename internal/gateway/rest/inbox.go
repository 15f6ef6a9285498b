package rest

import (
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/usecase"
)

// inbox reads the inbox, and waits for something new if it is told to.
func inbox(c *call) *domain.Error {
	wait := time.Duration(c.numbers["wait_ms"]) * time.Millisecond
	if wait == 0 {
		_, refusal := c.look(true)
		return refusal
	}
	// Who polls is there before he reads, so that nothing falls in between.
	p, ok := c.links.watch(c.user)
	if !ok {
		return &domain.Error{Code: domain.Overloaded, Message: "Too many requests wait for messages.", Retry: time.Second}
	}
	defer c.links.leave(c.user, p)
	over := time.NewTimer(min(wait, time.Until(c.expires)))
	defer over.Stop()
	for {
		if answered, refusal := c.look(false); answered || refusal != nil {
			return refusal
		}
		if !c.sleep(p, over.C) {
			_, refusal := c.look(true)
			return refusal
		}
	}
}

// sleep waits for a push and returns true, or false if there is no more time.
// A request that sleeps does not count as one at work.
func (c *call) sleep(p *poller, over <-chan time.Time) bool {
	c.open.Add(-1)
	defer c.open.Add(1)
	select {
	case <-p.wake:
		return true
	case <-over:
	case <-c.stopping:
	case <-c.r.Context().Done(): // nobody reads the answer
	}
	return false
}

// look reads the inbox once and answers if there is something new, or if it
// must.
func (c *call) look(must bool) (answered bool, refusal *domain.Error) {
	items, newest, refusal := c.opt.Service.Inbox(c.ctx(), c.user, c.numbers["after"], c.limit())
	if refusal != nil {
		return false, refusal
	}
	state, refusal := c.opt.Service.Newest(c.ctx(), c.user)
	if refusal != nil {
		return false, refusal
	}
	known, asked := c.numbers["heads"]
	if !must && len(items) == 0 && (!asked || known == state.Heads) {
		return false, nil
	}
	body := wire.Bare(wire.AppendEntries(nil, nil, entries(items), newest))
	return true, c.reply(wire.AppendHeadSum(body, state.Heads))
}

func entries(items []usecase.Delivery) []wire.Entry {
	shown := make([]wire.Entry, len(items))
	for i := range items {
		it := &items[i]
		shown[i] = wire.Entry{InboxIndex: it.Item.Index, InboxPre: it.Item.Pre, Message: message(&it.Message)}
	}
	return shown
}
