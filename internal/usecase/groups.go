package usecase

import (
	"context"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
)

// Limits of one request.
const (
	MaxNamed = 500 // users named in one request
	MaxTitle = 200 // bytes of a group's title
)

// Open makes the one conversation between two users; the answer comes through
// the origin.
func (s *Service) Open(ctx context.Context, origin domain.Origin, me, with domain.UserID) *domain.Error {
	if me == with {
		return domain.Refuse(domain.Invalid, "A conversation needs another user.")
	}
	ok, err := s.Store.Users.Exists(ctx, with)
	if err != nil {
		return s.fail(err)
	}
	if !ok {
		return domain.Refuse(domain.NotFound, "There is no such user.")
	}
	return s.Accept.Open(origin, domain.DirectID(me, with), me, time.Now().UnixMicro(), []domain.UserID{me, with})
}

// Create makes a group under a key of the caller's, once; the answer comes
// through the origin.
func (s *Service) Create(ctx context.Context, origin domain.Origin, me domain.UserID, key []byte, title string, members []domain.UserID) *domain.Error {
	if len(title) > MaxTitle {
		return domain.Refuse(domain.TooLarge, "The title has %d bytes; at most %d are taken.", len(title), MaxTitle)
	}
	if !utf8.ValidString(title) {
		return domain.Refuse(domain.Invalid, "The title is not valid UTF-8.")
	}
	if refusal := s.known(ctx, members); refusal != nil {
		return refusal
	}
	entry, err := uuid.NewV7()
	if err != nil {
		return s.fail(err)
	}
	return s.Accept.Create(origin, chat.GroupID(me, key), &chat.Creation{
		From: me, ID: domain.MessageID(entry), Title: title, Members: members, At: time.Now().UnixMicro(), Limits: s.Groups,
	})
}

// Change adds and removes members of a group; the answer comes through the
// origin. Whoever removes himself leaves.
func (s *Service) Change(ctx context.Context, origin domain.Origin, me domain.UserID, id domain.ConversationID, add, remove []domain.UserID) *domain.Error {
	if len(add)+len(remove) == 0 {
		return domain.Refuse(domain.Invalid, "Nobody is named.")
	}
	for _, a := range add {
		for _, r := range remove {
			if a == r {
				return domain.Refuse(domain.Invalid, "A user is to be added and removed at once.")
			}
		}
	}
	if len(remove) > MaxNamed {
		return tooMany()
	}
	if refusal := s.Check(ctx, me, id); refusal != nil {
		return refusal
	}
	if refusal := s.known(ctx, add); refusal != nil {
		return refusal
	}
	entry, err := uuid.NewV7()
	if err != nil {
		return s.fail(err)
	}
	return s.Accept.Change(origin, id, &chat.Changing{
		From: me, ID: domain.MessageID(entry), Add: add, Remove: remove, At: time.Now().UnixMicro(), Limits: s.Groups,
	})
}

// known refuses names of users who do not exist.
func (s *Service) known(ctx context.Context, users []domain.UserID) *domain.Error {
	if len(users) > MaxNamed {
		return tooMany()
	}
	for _, u := range users {
		ok, err := s.Store.Users.Exists(ctx, u)
		if err != nil {
			return s.fail(err)
		}
		if !ok {
			return domain.Refuse(domain.NotFound, "There is no user %s.", u)
		}
	}
	return nil
}

func tooMany() *domain.Error {
	return domain.Refuse(domain.TooLarge, "At most %d users are named at once.", MaxNamed)
}

// Members reads up to limit members of a conversation in the order of their
// names, after a name ("": from the first), and how many there are.
func (s *Service) Members(ctx context.Context, me domain.UserID, id domain.ConversationID, after domain.UserID, limit int) ([]chat.Member, int, *domain.Error) {
	if refusal := s.Check(ctx, me, id); refusal != nil {
		return nil, 0, refusal
	}
	head, err := s.Store.Chains.Roster(ctx, id)
	if err != nil {
		return nil, 0, s.fail(err)
	}
	if refusal := s.settled(ctx); refusal != nil {
		return nil, 0, refusal
	}
	all := head.Members
	from := sort.Search(len(all), func(i int) bool { return strings.Compare(string(all[i].ID), string(after)) > 0 })
	return all[from:min(from+limit, len(all))], len(all), nil
}
