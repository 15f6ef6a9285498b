package sim

import (
	"context"
	"slices"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/pipeline"
)

// links are the connections of one life. They hand what comes to the model.
type links struct {
	w    *world
	dead bool
}

// Outbox implements pipeline.Links.
func (l *links) Outbox() pipeline.Outbox { return &outbox{l: l} }

// outbox holds what was not flushed yet.
type outbox struct {
	l    *links
	held []func()
}

// answer is what a request got.
type answer struct {
	what  string
	code  domain.Code // of a refusal
	conv  domain.ConversationID
	entry chat.Entry
}

func (o *outbox) answer(to domain.Origin, a answer) {
	if len(to.Request) == 0 {
		return // nobody asked
	}
	request := string(to.Request)
	a.entry.Key = slices.Clone(a.entry.Key)
	o.held = append(o.held, func() { o.l.w.answered(request, a) })
}

// Sent implements pipeline.Outbox, as do the others.
func (o *outbox) Sent(to domain.Origin, conv domain.ConversationID, e *chat.Entry) {
	o.answer(to, answer{what: "sent", conv: conv, entry: *e})
}

// Opened answers an open or a create.
func (o *outbox) Opened(to domain.Origin, conv domain.ConversationID) {
	o.answer(to, answer{what: "opened", conv: conv})
}

// Changed answers a change of members.
func (o *outbox) Changed(to domain.Origin, conv domain.ConversationID, index uint64) {
	o.answer(to, answer{what: "changed", conv: conv, entry: chat.Entry{Index: index}})
}

// Done answers a read.
func (o *outbox) Done(to domain.Origin) { o.answer(to, answer{what: "done"}) }

// Refused answers what was not taken.
func (o *outbox) Refused(to domain.Origin, why *domain.Error) {
	o.answer(to, answer{what: "refused", code: why.Code})
}

// Online reports whether a user has a connection.
func (o *outbox) Online(u domain.UserID) bool { return o.l.w.online[u] }

// Push hands an item to a user's connections.
func (o *outbox) Push(u domain.UserID, item user.Item, _ domain.Origin, m *chat.Message) {
	copied := *m
	copied.Key, copied.Body = slices.Clone(m.Key), slices.Clone(m.Body)
	o.held = append(o.held, func() { o.l.w.pushed(u, item, copied) })
}

// Flush lets what is held go out, unless the power is gone.
func (o *outbox) Room(context.Context) error { return nil }

func (o *outbox) Flush() {
	held := o.held
	o.held = nil
	for _, out := range held {
		if !o.l.dead {
			out()
		}
	}
}

// watch is who is told what the stages do.
type watch struct{}

func (watch) Batch(string, int) {}
func (watch) Answered(int64)    {}
func (watch) Pushed(int64)      {}
func (watch) Repeated()         {}
func (watch) Parked()           {}
