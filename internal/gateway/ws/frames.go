package ws

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// maxMember is how many conversations a connection remembers its user to be a
// member of.
const maxMember = 256

type messagePool struct{ pool sync.Pool }

var messages = messagePool{sync.Pool{New: func() any { return new(bytes.Buffer) }}}

func (p *messagePool) get() *bytes.Buffer { return p.pool.Get().(*bytes.Buffer) } //nolint:forcetypeassert // only such are put

func (p *messagePool) put(b *bytes.Buffer) {
	if b.Cap() <= maxSpare {
		b.Reset()
		p.pool.Put(b)
	}
}

// handle takes one frame. Sends are gathered and go to the log together; any
// other request sees those before it on their way.
func (c *conn) handle(line []byte) bool {
	f := &c.frame
	err := c.dec.Next(line, f)
	if wait := c.frames.Take(c.hub.opt.Frames, c.at, 1); wait > 0 {
		return c.tooFast(f, wait)
	}
	if err != nil {
		c.malformed(f, err)
		return true
	}
	if f.Type == wire.Send {
		c.hub.count.send.Inc()
	} else {
		c.hub.count.in.Get(f.Type.String()).Inc()
	}
	if (f.Type == wire.Hello) != (c.user == "") {
		if c.user != "" {
			c.refuse(f.ID, domain.Refuse(domain.Invalid, "You have said hello before."))
			return true
		}
		c.refuse(f.ID, domain.Refuse(domain.Unauthenticated, "The first frame must be hello."))
		c.finish(wire.CloseUnauthenticated, "hello first")
		return false
	}
	switch f.Type {
	case wire.Hello:
		return c.hello(f)
	case wire.Send:
		c.send1(f)
		return true
	}
	c.flush()
	refusal := c.may(f)
	if refusal == nil {
		refusal = c.ask(f)
	}
	if refusal != nil {
		c.refuse(f.ID, refusal)
	}
	return true
}

func (c *conn) malformed(f *wire.Frame, err error) {
	refusal := domain.Refuse(domain.Invalid, "The frame is not valid.")
	if e, ok := errors.AsType[*wire.Error](err); ok {
		refusal = &domain.Error{Code: domain.Code(e.Code), Message: e.Message}
	}
	c.refuse(f.ID, refusal)
}

// send1 checks a message and gathers it.
func (c *conn) send1(f *wire.Frame) {
	if refusal := c.checkSend(f); refusal != nil {
		c.refuse(f.ID, refusal)
		return
	}
	id, err := uuid.NewV7()
	if err != nil {
		c.refuse(f.ID, domain.Refuse(domain.Internal, "The server has no randomness."))
		return
	}
	c.inflight.Add(1)
	body := len(c.arena)
	c.arena = wire.AppendTextContent(c.arena, f.Text)
	content := c.arena[body:len(c.arena):len(c.arena)]
	c.pending = append(c.pending, chat.Incoming{
		Origin: domain.Origin{Node: c.hub.opt.Node, Conn: c.id, Request: c.keep(f.ID)},
		Send: chat.Send{
			Conversation: f.Conversation, From: c.user, Key: c.keep(f.Key), After: c.keep(f.Predecessor),
			ID: domain.MessageID(id), Kind: chat.Text, Body: content, At: time.Now().UnixMicro(),
		},
	})
}

func (c *conn) checkSend(f *wire.Frame) *domain.Error {
	if refusal := chat.CheckText(f.Text, c.hub.opt.MaxText); refusal != nil {
		return refusal
	}
	if wait := c.quota.Send(c.at); wait > 0 {
		return slower("You send too fast.", wait)
	}
	if int(c.inflight.Load()) >= c.hub.opt.MaxInflight {
		return &domain.Error{
			Code: domain.Overloaded, Message: "Too many sends are unanswered.", Retry: 100 * time.Millisecond,
		}
	}
	if _, ok := c.member[f.Conversation]; ok {
		return nil
	}
	if refusal := c.hub.opt.Service.CheckSend(context.Background(), c.user, f.Conversation); refusal != nil {
		return refusal
	}
	if c.member == nil || len(c.member) >= maxMember {
		c.member = make(map[domain.ConversationID]struct{})
	}
	c.member[f.Conversation] = struct{}{}
	return nil
}

// keep copies b into the arena, which may grow; slices into it stay valid.
func (c *conn) keep(b []byte) []byte {
	start := len(c.arena)
	c.arena = append(c.arena, b...)
	return c.arena[start:len(c.arena):len(c.arena)]
}

// flush hands gathered sends to the log.
func (c *conn) flush() {
	if len(c.pending) == 0 {
		return
	}
	if refusal := c.hub.opt.Service.Send(c.pending, c.done); refusal != nil {
		for i := range c.pending {
			c.inflight.Add(-1)
			c.refuse(c.pending[i].Origin.Request, refusal)
		}
		if refusal.Code == domain.Overloaded {
			c.hub.opt.Users.Shed.Refused()
		}
	} else {
		c.hub.opt.Users.Shed.Took(len(c.pending))
	}
	clear(c.pending)
	c.pending, c.arena = c.pending[:0], c.arena[:0]
	if cap(c.arena) > maxSpare {
		c.arena, c.pending = nil, nil
	}
}

// ask handles what is not a send.
func (c *conn) ask(f *wire.Frame) *domain.Error {
	svc, ctx := c.hub.opt.Service, context.Background()
	origin := domain.Origin{Node: c.hub.opt.Node, Conn: c.id, Request: f.ID}
	id := domain.ConversationID(f.Conversation)
	switch f.Type {
	case wire.Ping:
		return c.ping(ctx, f)
	case wire.Open:
		return svc.Open(ctx, origin, c.user, domain.UserID(f.With))
	case wire.Create:
		return svc.Create(ctx, origin, c.user, f.Key, string(f.Title), users(f.Users))
	case wire.Change:
		return svc.Change(ctx, origin, c.user, id, users(f.Users), users(f.Remove))
	case wire.Read:
		return svc.Read(ctx, origin, c.user, id, f.Index)
	case wire.History:
		return c.history(ctx, f, id)
	case wire.Inbox:
		return c.inbox(ctx, f)
	case wire.List:
		return c.list(ctx, f)
	case wire.Members:
		return c.members(ctx, f, id)
	case wire.Heads:
		return c.heads(ctx, f)
	case wire.Presence:
		return c.presence(ctx, f)
	}
	return domain.Refuse("unknown_type", "This type of frame is not known.")
}

func users(names []string) []domain.UserID {
	ids := make([]domain.UserID, len(names))
	for i, n := range names {
		ids[i] = domain.UserID(n)
	}
	return ids
}

func (c *conn) ping(ctx context.Context, f *wire.Frame) *domain.Error {
	state, refusal := c.hub.opt.Service.Newest(ctx, c.user)
	if refusal != nil {
		return refusal
	}
	at := time.Now().UnixMilli()
	c.queue(func(dst []byte) []byte { return wire.AppendPong(dst, f.ID, state.Inbox, state.Heads, at) })
	c.hub.count.pong.Inc()
	return nil
}

func (c *conn) history(ctx context.Context, f *wire.Frame, id domain.ConversationID) *domain.Error {
	read, from := c.hub.opt.Service.History, f.Before
	if f.HasAfter {
		read, from = c.hub.opt.Service.HistoryAfter, f.After
	}
	found, more, refusal := read(ctx, c.user, id, from, f.Limit)
	if refusal != nil {
		return refusal
	}
	shown := make([]wire.Message, len(found))
	for i := range found {
		shown[i] = message(&found[i])
	}
	c.queue(func(dst []byte) []byte { return wire.AppendMessages(dst, f.ID, id, shown, more) })
	return nil
}

func (c *conn) inbox(ctx context.Context, f *wire.Frame) *domain.Error {
	items, newest, refusal := c.hub.opt.Service.Inbox(ctx, c.user, f.After, f.Limit)
	if refusal != nil {
		return refusal
	}
	shown := make([]wire.Entry, len(items))
	for i := range items {
		it := &items[i]
		shown[i] = wire.Entry{InboxIndex: it.Item.Index, InboxPre: it.Item.Pre, Message: message(&it.Message)}
	}
	c.queue(func(dst []byte) []byte { return wire.AppendEntries(dst, f.ID, shown, newest) })
	return nil
}

func (c *conn) list(ctx context.Context, f *wire.Frame) *domain.Error {
	page, refusal := c.hub.opt.Service.List(ctx, c.user, string(f.Cursor), f.Since, f.Limit)
	if refusal != nil {
		return refusal
	}
	shown := make([]wire.Conversation, len(page.Rows))
	for i := range page.Rows {
		r := &page.Rows[i].Row
		shown[i] = wire.Conversation{
			ID: page.Rows[i].Conversation, With: string(r.With), Group: r.Group, Title: r.Title, Left: r.Left, Large: r.Large,
			Index: r.Index, N: r.N, Read: r.Read, Unread: r.Unread(), At: r.At,
		}
	}
	c.queue(func(dst []byte) []byte {
		return wire.AppendConversations(dst, f.ID, shown, page.Cursor, page.Version)
	})
	return nil
}

func (c *conn) members(ctx context.Context, f *wire.Frame, id domain.ConversationID) *domain.Error {
	found, total, refusal := c.hub.opt.Service.Members(ctx, c.user, id, domain.UserID(f.Cursor), f.Limit)
	if refusal != nil {
		return refusal
	}
	shown := make([]wire.Member, len(found))
	for i, m := range found {
		shown[i] = wire.Member{User: string(m.ID), Role: m.Role.String(), Since: m.Since}
	}
	cursor := ""
	if len(shown) == f.Limit {
		cursor = shown[f.Limit-1].User
	}
	c.queue(func(dst []byte) []byte { return wire.AppendMembers(dst, f.ID, id, shown, total, cursor) })
	return nil
}

func (c *conn) heads(ctx context.Context, f *wire.Frame) *domain.Error {
	found, refusal := c.hub.opt.Service.Heads(ctx, c.user)
	if refusal != nil {
		return refusal
	}
	shown := make([]wire.HeadOf, len(found))
	for i, h := range found {
		shown[i] = wire.HeadOf{Conversation: h.Conversation, Index: h.Index}
	}
	c.queue(func(dst []byte) []byte { return wire.AppendHeads(dst, f.ID, shown) })
	return nil
}
