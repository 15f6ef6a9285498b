package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// ctx is for reads of the store: short, and not ended half-way by a client that
// goes away.
func (c *call) ctx() context.Context { return context.WithoutCancel(c.r.Context()) }

// changed is change that replies with the answer.
func (c *call) changed(put func(origin domain.Origin, w *waiter) *domain.Error) *domain.Error {
	body, refusal := c.change(put)
	if refusal != nil {
		return refusal
	}
	return c.reply(body)
}

func direct(c *call) *domain.Error {
	return c.changed(func(origin domain.Origin, _ *waiter) *domain.Error {
		return c.opt.Service.Open(c.ctx(), origin, c.user, domain.UserID(c.frame.With))
	})
}

func createGroup(c *call) *domain.Error {
	f := &c.frame
	return c.changed(func(origin domain.Origin, _ *waiter) *domain.Error {
		return c.opt.Service.Create(c.ctx(), origin, c.user, f.Key, string(f.Title), users(f.Users))
	})
}

func changeMembers(c *call) *domain.Error {
	f := &c.frame
	return c.changed(func(origin domain.Origin, _ *waiter) *domain.Error {
		return c.opt.Service.Change(c.ctx(), origin, c.user, f.Conversation, users(f.Users), users(f.Remove))
	})
}

func users(names []string) []domain.UserID {
	ids := make([]domain.UserID, len(names))
	for i, n := range names {
		ids[i] = domain.UserID(n)
	}
	return ids
}

func send(c *call) *domain.Error {
	f := &c.frame
	if refusal := chat.CheckText(f.Text, c.opt.MaxText); refusal != nil {
		return refusal
	}
	if refusal := c.opt.Service.CheckSend(c.ctx(), c.user, f.Conversation); refusal != nil {
		return refusal
	}
	id, err := uuid.NewV7()
	if err != nil {
		return domain.Refuse(domain.Internal, "The server has no randomness.")
	}
	return c.changed(func(origin domain.Origin, w *waiter) *domain.Error {
		refusal := c.opt.Service.Send([]chat.Incoming{{Origin: origin, Send: chat.Send{
			Conversation: f.Conversation, From: c.user, Key: f.Key, After: f.Predecessor, ID: domain.MessageID(id),
			Kind: chat.Text, Body: wire.AppendTextContent(nil, f.Text), At: time.Now().UnixMicro(),
		}}}, w.lost)
		c.took(refusal)
		return refusal
	})
}

// lost is told by the log when it could not keep a message after all.
func (w *waiter) lost(err error) {
	if err != nil {
		w.give(answer{refusal: domain.Refuse(domain.Unavailable, "The server cannot store messages now.")})
	}
}

func markRead(c *call) *domain.Error {
	_, refusal := c.change(func(origin domain.Origin, _ *waiter) *domain.Error {
		return c.opt.Service.Read(c.ctx(), origin, c.user, c.conversation(), c.frame.Index)
	})
	if refusal == nil {
		write(c.w, http.StatusNoContent, "", nil)
	}
	return refusal
}

func history(c *call) *domain.Error {
	read, from := c.opt.Service.History, c.numbers["before"]
	after, forth := c.numbers["after"]
	if forth {
		if from != 0 {
			return domain.Refuse(domain.Invalid, "before cannot be given together with after.")
		}
		read, from = c.opt.Service.HistoryAfter, after
	}
	found, more, refusal := read(c.ctx(), c.user, c.conversation(), from, c.limit())
	if refusal != nil {
		return refusal
	}
	shown := make([]wire.Message, len(found))
	for i := range found {
		shown[i] = message(&found[i])
	}
	return c.reply(wire.Bare(wire.AppendMessages(nil, nil, c.conversation(), shown, more)))
}

func message(m *chat.Message) wire.Message {
	return wire.Message{
		Conversation: m.Conversation, Index: m.Index, Pre: m.Pre, N: m.N, ID: m.Entry.ID,
		From: string(m.From), Key: string(m.Key), At: m.At, Content: m.Body,
	}
}

func listMembers(c *call) *domain.Error {
	found, total, refusal := c.opt.Service.Members(
		c.ctx(), c.user, c.conversation(), domain.UserID(c.texts["cursor"]), c.limit())
	if refusal != nil {
		return refusal
	}
	shown := make([]wire.Member, len(found))
	for i, m := range found {
		shown[i] = wire.Member{User: string(m.ID), Role: m.Role.String(), Since: m.Since}
	}
	cursor := ""
	if len(shown) == c.limit() {
		cursor = shown[len(shown)-1].User
	}
	return c.reply(wire.Bare(wire.AppendMembers(nil, nil, c.conversation(), shown, total, cursor)))
}

func list(c *call) *domain.Error {
	page, refusal := c.opt.Service.List(c.ctx(), c.user, c.texts["cursor"], c.numbers["since"], c.limit())
	if refusal != nil {
		return refusal
	}
	shown := make([]wire.Conversation, len(page.Rows))
	for i := range page.Rows {
		r := &page.Rows[i].Row
		shown[i] = wire.Conversation{
			ID: page.Rows[i].Conversation, With: string(r.With), Group: r.Group, Title: r.Title, Left: r.Left,
			Large: r.Large, Index: r.Index, N: r.N, Read: r.Read, Unread: r.Unread(), At: r.At,
		}
	}
	return c.reply(wire.Bare(wire.AppendConversations(nil, nil, shown, page.Cursor, page.Version)))
}

func heads(c *call) *domain.Error {
	found, refusal := c.opt.Service.Heads(c.ctx(), c.user)
	if refusal != nil {
		return refusal
	}
	shown := make([]wire.HeadOf, len(found))
	for i, h := range found {
		shown[i] = wire.HeadOf{Conversation: h.Conversation, Index: h.Index}
	}
	return c.reply(wire.Bare(wire.AppendHeads(nil, nil, shown)))
}
