package ws

import (
	"context"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/usecase"
)

// Service is what a connection asks for, see package usecase. All methods may be
// called concurrently.
type Service interface {
	Send(in []chat.Incoming, done func(error)) *domain.Error
	CheckSend(ctx context.Context, me domain.UserID, id domain.ConversationID) *domain.Error
	Open(ctx context.Context, origin domain.Origin, me, with domain.UserID) *domain.Error
	Create(ctx context.Context, origin domain.Origin, me domain.UserID, key []byte, title string, members []domain.UserID) *domain.Error
	Change(ctx context.Context, origin domain.Origin, me domain.UserID, id domain.ConversationID, add, remove []domain.UserID) *domain.Error
	Read(ctx context.Context, origin domain.Origin, me domain.UserID, id domain.ConversationID, index uint64) *domain.Error

	Newest(ctx context.Context, me domain.UserID) (usecase.State, *domain.Error)
	Resume(ctx context.Context, me domain.UserID, at usecase.Position) (usecase.State, []usecase.Delivery, bool, *domain.Error)
	Heads(ctx context.Context, me domain.UserID) ([]usecase.Head, *domain.Error)
	Inbox(ctx context.Context, me domain.UserID, after uint64, limit int) ([]usecase.Delivery, uint64, *domain.Error)
	List(ctx context.Context, me domain.UserID, cursor string, since uint64, limit int) (usecase.Page, *domain.Error)
	Members(ctx context.Context, me domain.UserID, id domain.ConversationID, after domain.UserID, limit int) ([]chat.Member, int, *domain.Error)
	Acquaintances(ctx context.Context, me domain.UserID, users []domain.UserID) ([]domain.UserID, *domain.Error)
	History(ctx context.Context, me domain.UserID, id domain.ConversationID, before uint64, limit int) ([]chat.Message, bool, *domain.Error)
	HistoryAfter(ctx context.Context, me domain.UserID, id domain.ConversationID, after uint64, limit int) ([]chat.Message, bool, *domain.Error)
}

var _ Service = (*usecase.Service)(nil)
