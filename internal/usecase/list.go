package usecase

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/conversation"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/enc"
	"github.com/merchantim/merchantim/internal/hot"
)

// Listed is a row of a user's list.
type Listed struct {
	Conversation domain.ConversationID
	Row          conversation.Row
	score        int64 // what the order goes by: the time of the newest entry
}

// Page is a page of a user's list. Cursor is "" at the end; Version is the
// list's revision as of before the page was read.
type Page struct {
	Rows    []Listed
	Cursor  string
	Version uint64
}

// List reads up to limit rows, newest first, from a cursor ("" is the top).
// With a since above 0 only those that changed after that version of the list,
// and those of large conversations, whose messages do not change the list.
func (s *Service) List(ctx context.Context, me domain.UserID, cursor string, since uint64, limit int) (Page, *domain.Error) {
	from, refusal := decodeCursor(cursor)
	if refusal != nil {
		return Page{}, refusal
	}
	head, err := s.Store.Inboxes.Head(ctx, me)
	if err != nil {
		return Page{}, s.fail(err)
	}
	var rows []Listed
	if since == 0 {
		rows, err = s.recent(ctx, me, &head, from, limit+1)
	} else {
		rows, err = s.changed(ctx, me, &head, since, from)
	}
	if err != nil {
		return Page{}, s.fail(err)
	}
	if len(head.Large) > 0 { // their rows are as of the chains
		if refusal := s.settled(ctx); refusal != nil {
			return Page{}, refusal
		}
	}
	p := Page{Rows: rows, Version: head.Rev}
	if len(rows) > limit {
		p.Rows = rows[:limit]
		p.Cursor = encodeCursor(p.Rows[limit-1].place())
	} else {
		s.lists.drop(me)
	}
	// The recent order may be ahead of the inbox.
	p.Rows = slices.DeleteFunc(p.Rows, func(l Listed) bool { return l.Row.Index == 0 })
	return p, nil
}

// place is where a row stands in the order of the list.
func (l *Listed) place() hot.Item {
	return hot.Item{Member: string(l.Conversation[:]), Score: l.score}
}

func (l *Listed) compare(o *Listed) int { return compare(l.place(), o.place()) }

// compare orders as hot.Recents does: the highest score first, ties by member
// descending.
func compare(a, b hot.Item) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(b.Member, a.Member))
}

// recent reads rows in the order of hot state. Large conversations have no
// place of their own there, and are put in by their heads.
func (s *Service) recent(ctx context.Context, me domain.UserID, head *user.Inbox, from *hot.Item, limit int) ([]Listed, error) {
	items, err := s.top(ctx, me, head.Rev, from, limit+len(head.Large))
	if err != nil {
		return nil, err
	}
	var shelved []placed
	if from != nil { // the first page is all that many want: what was filled is not sorted for it
		shelved = s.lists.at(me, head.Rev, time.Now())
	}
	if shelved == nil && s.lists.looked(me, len(items), time.Now()) {
		if _, err = s.all(ctx, me, head.Rev, true); err != nil {
			return nil, err
		}
		shelved = s.lists.at(me, head.Rev, time.Now())
	}
	var rows []Listed
	for _, id := range head.Large {
		row, ok, err := s.row(ctx, me, id)
		if err != nil {
			return nil, err
		}
		if l := (Listed{id, row, row.At}); ok && (from == nil || compare(l.place(), *from) > 0) {
			rows = append(rows, l)
		}
	}
	for _, it := range items {
		id := domain.ConversationID([]byte(it.Member))
		if slices.Contains(head.Large, id) {
			continue
		}
		row, ok := find(shelved, id)
		if !ok {
			if row, _, err = s.Store.Inboxes.RowOf(ctx, me, id); err != nil {
				return nil, err
			}
		}
		rows = append(rows, Listed{id, row, it.Score})
	}
	slices.SortFunc(rows, func(a, b Listed) int { return a.compare(&b) })
	return rows[:min(limit, len(rows))], nil
}

// row reads a row, that of a large conversation as of its head.
func (s *Service) row(ctx context.Context, me domain.UserID, id domain.ConversationID) (conversation.Row, bool, error) {
	row, ok, err := s.Store.Inboxes.RowOf(ctx, me, id)
	if err != nil || !ok || !row.Large {
		return row, ok, err
	}
	head, err := s.Store.Chains.Head(ctx, id)
	row.Follow(head.Last, head.N, head.At)
	return row, true, err
}

// changed reads the rows that changed after a version, in the order of the list.
func (s *Service) changed(ctx context.Context, me domain.UserID, head *user.Inbox, since uint64, from *hot.Item) ([]Listed, error) {
	var err error
	all := table{s.lists.at(me, head.Rev, time.Now())}
	if all[0] == nil {
		if all, err = s.all(ctx, me, head.Rev, from != nil); err != nil {
			return nil, err
		}
	}
	var rows []Listed
	for _, part := range all {
		for i := range part {
			if row := &part[i].row; row.Index > 0 && (row.Rev > since || row.Large) {
				rows = append(rows, Listed{part[i].id, *row, row.At})
			}
		}
	}
	for i := range rows {
		if l := &rows[i]; l.Row.Large {
			if l.Row, _, err = s.row(ctx, me, l.Conversation); err != nil {
				return nil, err
			}
			l.score = l.Row.At
		}
	}
	slices.SortFunc(rows, func(a, b Listed) int { return a.compare(&b) })
	for from != nil && len(rows) > 0 && compare(rows[0].place(), *from) <= 0 {
		rows = rows[1:]
	}
	return rows, nil
}

// all reads every row of a user. If they are to be kept for further pages, the
// list is long and has not changed since the revision, the shelf has them.
func (s *Service) all(ctx context.Context, me domain.UserID, rev uint64, keep bool) (rows table, err error) {
	err = s.Store.Inboxes.Rows(ctx, me, func(id domain.ConversationID, row conversation.Row) {
		rows = rows.add(placed{id, row})
	})
	if err != nil || !keep || rows.len() <= shelfAfter {
		return rows, err
	}
	head, err := s.Store.Inboxes.Head(ctx, me)
	if err == nil && head.Rev == rev {
		s.lists.put(me, rev, rows, time.Now())
	}
	return rows, err
}

// fillAtMost bounds how often a list is filled that is forgotten at once, since
// others need the memory.
const fillAtMost = 3

// top reads hot state, filling it from the store when it is not there.
func (s *Service) top(ctx context.Context, me domain.UserID, rev uint64, from *hot.Item, limit int) ([]hot.Item, error) {
	set := string(me)
	for range fillAtMost {
		items, err := s.Recents.Top(ctx, set, from, limit)
		if !errors.Is(err, hot.ErrNotFilled) {
			return items, err
		}
		if err := s.Recents.Begin(ctx, set); err != nil {
			return nil, err
		}
		rows, err := s.all(ctx, me, rev, true)
		if err != nil {
			return nil, err
		}
		if err := s.Recents.Fill(ctx, set, ranked(rows)); err != nil && !errors.Is(err, hot.ErrNotFilled) {
			return nil, err
		}
	}
	return nil, &domain.Error{Code: domain.Overloaded, Message: "Too many lists are read at once.", Retry: time.Second}
}

// ranked are the rows that have a place in the list, as hot state keeps them.
// The members share one string: a long list is forgotten as a whole.
func ranked(rows table) []hot.Item {
	const size = len(domain.ConversationID{})
	n := rows.len()
	ids, items := make([]byte, 0, n*size), make([]hot.Item, 0, n)
	for _, part := range rows {
		for i := range part {
			if row := &part[i].row; row.Index > 0 {
				ids = append(ids, part[i].id[:]...)
				items = append(items, hot.Item{Score: row.At})
			}
		}
	}
	members := string(ids)
	for i := range items {
		items[i].Member = members[i*size : (i+1)*size]
	}
	return items
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
