package usecase

import (
	"context"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
)

// MaxPresence is how many users' presence is asked at once.
const MaxPresence = 100

// Acquaintances are those of some users with whom the caller has a direct
// conversation, each once, in their order: the only ones whose presence he is
// told.
func (s *Service) Acquaintances(ctx context.Context, me domain.UserID, users []domain.UserID) ([]domain.UserID, *domain.Error) {
	if len(users) > MaxPresence {
		return nil, domain.Refuse(domain.TooLarge, "At most %d users are asked for at once.", MaxPresence)
	}
	var known []domain.UserID
	seen := make(map[domain.UserID]bool, len(users))
	for _, u := range users {
		if seen[u] || u == me {
			continue
		}
		seen[u] = true
		head, _, member, err := s.Store.Chains.Membership(ctx, domain.DirectID(me, u), me)
		if err != nil {
			return nil, s.fail(err)
		}
		if member && head.Form == chat.Direct {
			known = append(known, u)
		}
	}
	return known, nil
}
