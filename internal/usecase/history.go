package usecase

import (
	"context"
	"slices"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/pipeline/record"
)

// History reads up to limit messages before an index (0: the newest), ascending.
// Who joined a group sees it from then on.
func (s *Service) History(ctx context.Context, me domain.UserID, id domain.ConversationID, before uint64, limit int) ([]chat.Message, bool, *domain.Error) {
	if before == 0 {
		before = 1 << 63
	}
	member, refusal := s.member(ctx, me, id)
	if refusal != nil {
		return nil, false, refusal
	}
	m, err := s.Store.Chains.Before(ctx, id, before, limit+1)
	if err != nil {
		return nil, false, s.fail(err)
	}
	if refusal := s.settled(ctx); refusal != nil {
		return nil, false, refusal
	}
	for len(m) > 0 && m[0].Index < member.Since {
		m = m[1:]
	}
	slices.Reverse(m)
	keep := fitting(m, limit)
	slices.Reverse(m)
	return m[len(m)-keep:], keep < len(m), nil
}

// HistoryAfter reads up to limit messages after an index, ascending.
func (s *Service) HistoryAfter(ctx context.Context, me domain.UserID, id domain.ConversationID, after uint64, limit int) ([]chat.Message, bool, *domain.Error) {
	member, refusal := s.member(ctx, me, id)
	if refusal != nil {
		return nil, false, refusal
	}
	if member.Since > 0 {
		after = max(after, member.Since-1)
	}
	m, err := s.Store.Chains.After(ctx, id, after, limit+1)
	if err != nil {
		return nil, false, s.fail(err)
	}
	if refusal := s.settled(ctx); refusal != nil {
		return nil, false, refusal
	}
	keep := fitting(m, limit)
	return m[:keep], keep < len(m), nil
}

// fitting is how many messages from the first fit into a page.
func fitting(m []chat.Message, limit int) int {
	size := 0
	for i := range m {
		if size += len(m[i].Body) + perMessage; i >= limit || (size > maxPage && i > 0) {
			return i
		}
	}
	return len(m)
}

// A page ends before it has more than maxPage bytes, however many messages were
// asked for; perMessage is what each takes besides its body.
const (
	maxPage    = 256 << 10
	perMessage = 400
)

// Read hands a read position to the log; the answer comes through the origin.
func (s *Service) Read(ctx context.Context, origin domain.Origin, me domain.UserID, id domain.ConversationID, index uint64) *domain.Error {
	if refusal := s.Check(ctx, me, id); refusal != nil {
		return refusal
	}
	m, err := s.Store.Chains.Message(ctx, id, index)
	if err != nil {
		return s.fail(err)
	}
	return s.Accept.Read(record.Mixed{
		Origin: origin, At: time.Now().UnixMicro(), User: me, Conversation: id, Index: index, N: m.N,
	})
}
