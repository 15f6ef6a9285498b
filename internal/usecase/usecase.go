// Package usecase is what a client can ask for, whatever link it came by: one
// method a use-case, one kind of error (*domain.Error). What changes state goes
// through the log and is answered from there; what reads is answered here.
package usecase

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/conversation"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/enc"
	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
)

// Service answers use-cases. All methods may be called concurrently.
type Service struct {
	Accept  *pipeline.Accept
	Store   *store.Store
	Recents hot.Recents
	Log     *slog.Logger
}

// Send hands messages to the log; see pipeline.Accept. Each answer comes through the
// message's origin.
func (s *Service) Send(in []chat.Incoming, done func(error)) *domain.Error {
	return s.Accept.Send(in, done)
}

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

// Check refuses whoever is not a member. It is advice from the newest state
// known here; single decides.
func (s *Service) Check(ctx context.Context, me domain.UserID, id domain.ConversationID) *domain.Error {
	members, err := s.Store.Chains.Members(ctx, id)
	switch {
	case err != nil:
		return s.fail(err)
	case len(members) == 0:
		return domain.Refuse(domain.NotFound, "There is no such conversation.")
	case !slices.Contains(members, me):
		return domain.Refuse(domain.Forbidden, "You are not a member of this conversation.")
	}
	return nil
}

// History reads up to limit messages before an index (0: the newest), ascending.
func (s *Service) History(ctx context.Context, me domain.UserID, id domain.ConversationID, before uint64, limit int) ([]chat.Message, bool, *domain.Error) {
	if before == 0 {
		before = 1 << 63
	}
	if refusal := s.Check(ctx, me, id); refusal != nil {
		return nil, false, refusal
	}
	m, err := s.Store.Chains.Before(ctx, id, before, limit+1)
	if err != nil {
		return nil, false, s.fail(err)
	}
	slices.Reverse(m)
	keep := fitting(m, limit)
	slices.Reverse(m)
	return m[len(m)-keep:], keep < len(m), nil
}

// HistoryAfter reads up to limit messages after an index, ascending.
func (s *Service) HistoryAfter(ctx context.Context, me domain.UserID, id domain.ConversationID, after uint64, limit int) ([]chat.Message, bool, *domain.Error) {
	if refusal := s.Check(ctx, me, id); refusal != nil {
		return nil, false, refusal
	}
	m, err := s.Store.Chains.After(ctx, id, after, limit+1)
	if err != nil {
		return nil, false, s.fail(err)
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

// Newest is the newest index of a user's inbox.
func (s *Service) Newest(ctx context.Context, me domain.UserID) (uint64, *domain.Error) {
	last, err := s.Store.Inboxes.Last(ctx, me)
	if err != nil {
		return 0, s.fail(err)
	}
	return last, nil
}

// A page ends before it has more than maxPage bytes, however many messages were
// asked for; perMessage is what each takes besides its body.
const (
	maxPage    = 256 << 10
	perMessage = 400
)

// Delivery is an item of an inbox with its message.
type Delivery struct {
	Item    user.Item
	Message chat.Message
}

// Inbox reads up to limit items after an index, ascending, and the newest index.
func (s *Service) Inbox(ctx context.Context, me domain.UserID, after uint64, limit int) ([]Delivery, uint64, *domain.Error) {
	newest, refusal := s.Newest(ctx, me)
	if refusal != nil {
		return nil, 0, refusal
	}
	items, err := s.Store.Inboxes.Items(ctx, me, after, limit)
	if err != nil {
		return nil, 0, s.fail(err)
	}
	if n := len(items); n > 0 { // more may have come since the newest was read
		newest = max(newest, items[n-1].Index)
	}
	out := make([]Delivery, 0, len(items))
	size := 0
	for part := range slices.Chunk(items, inboxChunk) {
		texts, err := s.messages(ctx, part)
		if err != nil {
			return nil, 0, s.fail(err)
		}
		for i, it := range part {
			if size += len(texts[i].Body) + perMessage; size > maxPage && len(out) > 0 {
				return out, newest, nil
			}
			out = append(out, Delivery{Item: it, Message: texts[i]})
		}
	}
	return out, newest, nil
}

// inboxChunk is how many messages are read before the page's size is looked at.
const inboxChunk = 100

// messages reads the entries that items point at: those of one conversation
// together, since they stand side by side in its chain.
func (s *Service) messages(ctx context.Context, items []user.Item) ([]chat.Message, error) {
	places := make(map[domain.ConversationID][]int)
	for i, it := range items {
		places[it.Conversation] = append(places[it.Conversation], i)
	}
	out := make([]chat.Message, len(items))
	for id, at := range places {
		for len(at) > 0 {
			first := items[at[0]].Entry
			found, err := s.Store.Chains.After(ctx, id, first-1, len(at))
			if err != nil {
				return nil, err
			}
			taken := 0
			for _, m := range found {
				if taken < len(at) && items[at[taken]].Entry == m.Index {
					out[at[taken]] = m
					taken++
				}
			}
			if taken == 0 {
				return nil, domain.Refuse(domain.NotFound, "There is no message at this index.")
			}
			at = at[taken:]
		}
	}
	return out, nil
}

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

// Listed is a row of a user's list.
type Listed struct {
	Conversation domain.ConversationID
	Row          conversation.Row
}

// List reads up to limit rows, newest first, from a cursor ("" is the top). The
// cursor returned is "" at the end.
func (s *Service) List(ctx context.Context, me domain.UserID, cursor string, limit int) ([]Listed, string, *domain.Error) {
	from, refusal := decodeCursor(cursor)
	if refusal != nil {
		return nil, "", refusal
	}
	items, err := s.top(ctx, me, from, limit+1)
	if err != nil {
		return nil, "", s.fail(err)
	}
	next := ""
	if len(items) > limit {
		items = items[:limit]
		next = encodeCursor(items[limit-1])
	}
	rows := make([]Listed, 0, len(items))
	for _, it := range items {
		id := domain.ConversationID([]byte(it.Member))
		row, ok, err := s.Store.Inboxes.RowOf(ctx, me, id)
		if err != nil {
			return nil, "", s.fail(err)
		}
		if ok && row.Index > 0 { // else the recent order is ahead of the inbox
			rows = append(rows, Listed{Conversation: id, Row: row})
		}
	}
	return rows, next, nil
}

// fillAtMost bounds how often a list is filled that is forgotten at once, since
// others need the memory.
const fillAtMost = 3

// top reads hot state, filling it from the store when it is not there.
func (s *Service) top(ctx context.Context, me domain.UserID, from *hot.Item, limit int) ([]hot.Item, error) {
	set := string(me)
	for range fillAtMost {
		items, err := s.Recents.Top(ctx, set, from, limit)
		if !errors.Is(err, hot.ErrNotFilled) {
			return items, err
		}
		if err := s.Recents.Begin(ctx, set); err != nil {
			return nil, err
		}
		var all []hot.Item
		err = s.Store.Inboxes.Rows(ctx, me, func(id domain.ConversationID, row conversation.Row) {
			if row.Index > 0 {
				all = append(all, hot.Item{Member: string(id[:]), Score: row.At})
			}
		})
		if err != nil {
			return nil, err
		}
		if err := s.Recents.Fill(ctx, set, all); err != nil && !errors.Is(err, hot.ErrNotFilled) {
			return nil, err
		}
	}
	return nil, &domain.Error{Code: domain.Overloaded, Message: "Too many lists are read at once.", Retry: time.Second}
}

func encodeCursor(it hot.Item) string {
	return base64.RawURLEncoding.EncodeToString(append(enc.U64(nil, uint64(it.Score)), it.Member...))
}

func decodeCursor(cursor string) (*hot.Item, *domain.Error) {
	if cursor == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) != 8+len(domain.ConversationID{}) {
		return nil, domain.Refuse(domain.Invalid, "The cursor is not one of ours.")
	}
	r := enc.Read(b)
	return &hot.Item{Score: int64(r.U64()), Member: string(b[8:])}, nil
}

// fail turns what went wrong below into what a client is told.
func (s *Service) fail(err error) *domain.Error {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return e
	}
	s.Log.Error("request failed", "err", err)
	return domain.Refuse(domain.Unavailable, "The server cannot read its store now.")
}
