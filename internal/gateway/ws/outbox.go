package ws

import (
	"context"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/usecase"
)

// Outbox returns a place for the answers and pushes of one owner of a stage.
func (h *Hub) Outbox() pipeline.Outbox { return &outbox{hub: h} }

type outbox struct {
	hub     *Hub
	touched []*conn
	tail    []byte // of the message pushed last, encoded once for all receivers
	tailOf  domain.ConversationID
	tailAt  uint64
}

func (o *outbox) conn(to domain.Origin) *conn {
	if to.Conn == 0 || to.Node != o.hub.opt.Node {
		return nil
	}
	return o.hub.find(to.Conn)
}

func (o *outbox) touch(c *conn) {
	if n := len(o.touched); n == 0 || o.touched[n-1] != c {
		o.touched = append(o.touched, c)
	}
}

// Flush has everything written since the last one.
func (o *outbox) Flush() {
	for _, c := range o.touched {
		c.kick()
	}
	clear(o.touched)
	o.touched = o.touched[:0]
}

// Room waits while more than MaxQueued bytes wait for all connections together:
// whoever pushes is faster than the network then, or than the processor.
func (o *outbox) Room(ctx context.Context) error {
	h := o.hub
	if h.queue.Load() <= h.opt.MaxQueued {
		return nil
	}
	o.Flush()
	look := time.NewTicker(lookForRoom)
	defer look.Stop()
	for h.queue.Load() > h.opt.MaxQueued {
		select {
		case now := <-look.C:
			h.each(func(c *conn) { c.unstick(now) })
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Sent answers a send.
func (o *outbox) Sent(to domain.Origin, conversation domain.ConversationID, e *chat.Entry) {
	c := o.conn(to)
	if c == nil {
		return
	}
	sent := wire.Sent{Conversation: conversation, Key: e.Key, ID: e.ID, Index: e.Index, N: e.N, At: e.At}
	c.inflight.Add(-1)
	c.queue(func(dst []byte) []byte { return wire.AppendSent(dst, to.Request, &sent) })
	o.hub.count.sent.Inc()
	o.touch(c)
}

// Opened answers an open.
func (o *outbox) Opened(to domain.Origin, conversation domain.ConversationID) {
	if c := o.conn(to); c != nil {
		c.queue(func(dst []byte) []byte { return wire.AppendOpened(dst, to.Request, conversation) })
		o.touch(c)
	}
}

// Changed answers a change of members.
func (o *outbox) Changed(to domain.Origin, conversation domain.ConversationID, index uint64) {
	if c := o.conn(to); c != nil {
		c.queue(func(dst []byte) []byte { return wire.AppendChanged(dst, to.Request, conversation, index) })
		o.touch(c)
	}
}

// Done answers a read.
func (o *outbox) Done(to domain.Origin) {
	if c := o.conn(to); c != nil {
		c.queue(func(dst []byte) []byte { return wire.AppendDone(dst, to.Request) })
		o.touch(c)
	}
}

// Refused answers a send that single did not take.
func (o *outbox) Refused(to domain.Origin, why *domain.Error) {
	if c := o.conn(to); c != nil {
		c.inflight.Add(-1)
		c.refuse(to.Request, why)
		o.touch(c)
	}
}

// Online reports whether a user has a connection here.
func (o *outbox) Online(id domain.UserID) bool { return len(o.hub.of(id)) > 0 }

// Push hands an inbox item to all connections of a user. On the connection
// that the message came from it is not urgent: it goes with the next frame.
func (o *outbox) Push(id domain.UserID, item user.Item, from domain.Origin, m *chat.Message) {
	for _, c := range o.hub.of(id) {
		if c.id == from.Conn && from.Node == o.hub.opt.Node {
			c.push(false, func(dst []byte) []byte {
				return wire.AppendOwn(dst, item.Index, item.Pre, item.Conversation, item.Entry)
			})
			o.hub.count.own.Inc()
			continue
		}
		if o.tailAt != m.Index || o.tailOf != m.Conversation {
			w := message(m)
			o.tail, o.tailOf, o.tailAt = wire.AppendMsgTail(o.tail[:0], &w), m.Conversation, m.Index
		}
		c.push(true, func(dst []byte) []byte {
			return append(wire.AppendMsgHead(dst, item.Index, item.Pre), o.tail...)
		})
		o.hub.count.msg.Inc()
		o.touch(c)
	}
}

// appendDelivery appends an inbox entry as a push.
func appendDelivery(dst []byte, d *usecase.Delivery) []byte {
	w := message(&d.Message)
	return wire.AppendMsgTail(wire.AppendMsgHead(dst, d.Item.Index, d.Item.Pre), &w)
}

func message(m *chat.Message) wire.Message {
	return wire.Message{
		Conversation: m.Conversation, Index: m.Index, Pre: m.Pre, N: m.N, ID: m.Entry.ID,
		From: string(m.From), Key: string(m.Key), At: m.At, Content: m.Body,
	}
}

func (c *conn) refuse(id []byte, why *domain.Error) {
	c.hub.count.errors.Get(string(why.Code)).Inc()
	c.queue(func(dst []byte) []byte {
		return wire.AppendError(dst, id, wire.Code(why.Code), why.Message, int64(why.Retry/time.Millisecond))
	})
}
