// Package usecase is what a client can ask for, whatever link it came by: one
// method a use-case, one kind of error (*domain.Error). What changes state goes
// through the log and is answered from there; what reads is answered here.
package usecase

import (
	"context"
	"errors"
	"log/slog"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/store"
)

// Service answers use-cases. All methods may be called concurrently.
type Service struct {
	Accept  *pipeline.Accept
	Store   *store.Store
	Recents hot.Recents
	Groups  chat.Limits
	// Durable waits until all that can be read by now is durable: what a client
	// was shown is never lost. Inboxes and rows are durable when they can be read.
	Durable func(ctx context.Context) error
	Log     *slog.Logger

	lists shelf
}

// Send hands messages to the log; see pipeline.Accept. Each answer comes through the
// message's origin.
func (s *Service) Send(in []chat.Incoming, done func(error)) *domain.Error {
	return s.Accept.Send(in, done)
}

// Check refuses whoever is not a member. It is advice from the newest state
// known here; single decides.
func (s *Service) Check(ctx context.Context, me domain.UserID, id domain.ConversationID) *domain.Error {
	_, refusal := s.member(ctx, me, id)
	return refusal
}

// CheckSend is Check for a message. Whoever has left may repeat what he sent
// before, and gets the first answer again; so single decides.
func (s *Service) CheckSend(ctx context.Context, me domain.UserID, id domain.ConversationID) *domain.Error {
	refusal := s.Check(ctx, me, id)
	if refusal == nil || refusal.Code != domain.Forbidden {
		return refusal
	}
	_, was, err := s.Store.Inboxes.RowOf(ctx, me, id)
	if err != nil {
		return s.fail(err)
	}
	if was {
		return nil
	}
	return refusal
}

// member is the caller as a member of a conversation.
func (s *Service) member(ctx context.Context, me domain.UserID, id domain.ConversationID) (chat.Member, *domain.Error) {
	head, member, ok, err := s.Store.Chains.Membership(ctx, id, me)
	switch {
	case err != nil:
		return member, s.fail(err)
	case !head.Exists():
		return member, domain.Refuse(domain.NotFound, "There is no such conversation.")
	case !ok:
		return member, domain.Refuse(domain.Forbidden, "You are not a member of this conversation.")
	}
	return member, nil
}

// settled waits until what was read of a chain may be shown.
func (s *Service) settled(ctx context.Context) *domain.Error {
	if err := s.Durable(ctx); err != nil {
		return s.fail(err)
	}
	return nil
}

// fail turns what went wrong below into what a client is told.
func (s *Service) fail(err error) *domain.Error {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return e
	}
	s.Log.Error("request failed", "err", err)
	return domain.Refuse(domain.Unavailable, "The server cannot read its store now.")
}
