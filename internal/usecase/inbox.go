package usecase

import (
	"context"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
)

// State is what a heartbeat tells: how far the user's inbox is, and the heads
// that he follows.
type State struct {
	Inbox uint64 // newest index; 0: empty
	// Heads is the sum of the newest indices of the large conversations of the
	// user. Whoever has his whole inbox knows which these are, and no index of
	// his can be above the server's: so equal sums mean equal heads.
	Heads uint64
}

// Newest is the state of a user's chains.
func (s *Service) Newest(ctx context.Context, me domain.UserID) (State, *domain.Error) {
	inbox, err := s.Store.Inboxes.Head(ctx, me)
	if err != nil {
		return State{}, s.fail(err)
	}
	st := State{Inbox: inbox.Last}
	for _, id := range inbox.Large {
		head, err := s.Store.Chains.Head(ctx, id)
		if err != nil {
			return State{}, s.fail(err)
		}
		st.Heads += head.Last
	}
	return st, nil
}

// Head is the newest place of a large conversation.
type Head struct {
	Conversation domain.ConversationID
	Index        uint64
}

// Heads lists the large conversations of a user.
func (s *Service) Heads(ctx context.Context, me domain.UserID) ([]Head, *domain.Error) {
	inbox, err := s.Store.Inboxes.Head(ctx, me)
	if err != nil {
		return nil, s.fail(err)
	}
	heads := make([]Head, len(inbox.Large))
	for i, id := range inbox.Large {
		head, err := s.Store.Chains.Head(ctx, id)
		if err != nil {
			return nil, s.fail(err)
		}
		heads[i] = Head{Conversation: id, Index: head.Last}
	}
	return heads, s.settled(ctx)
}

// Position is how far a client has come, by its own account.
type Position struct {
	Epoch string
	State
}

// maxResume is how many entries a client may have missed and still be brought
// up to date with its welcome.
const maxResume = 500

// Resume returns the state of a user's chains, and what a client at a position
// has missed. The third result is true only if that is all: the numbering is
// the same, nothing lies between, no head has moved, and the heads are those of
// the same groups.
func (s *Service) Resume(ctx context.Context, me domain.UserID, at Position) (State, []Delivery, bool, *domain.Error) {
	st, refusal := s.Newest(ctx, me)
	if refusal != nil {
		return st, nil, false, refusal
	}
	if at.Epoch != s.Store.Epoch() || at.Inbox > st.Inbox || st.Inbox-at.Inbox > maxResume || at.Heads != st.Heads {
		return st, nil, false, nil
	}
	if at.Inbox == st.Inbox {
		return st, nil, true, nil
	}
	missed, _, refusal := s.Inbox(ctx, me, at.Inbox, maxResume)
	if refusal != nil {
		return st, nil, false, refusal
	}
	next := at.Inbox
	for i := range missed {
		// Where the user came or went, or a group became large or small, equal sums
		// may be those of other groups: one has gone, and another moved as far.
		if missed[i].Item.Pre != next || st.Heads > 0 && missed[i].Message.Moves(me) {
			return st, nil, false, nil
		}
		next = missed[i].Item.Index
	}
	if next < st.Inbox { // the page was full before its end
		return st, nil, false, nil
	}
	return st, missed, true, nil
}

// Delivery is an item of an inbox with its message.
type Delivery struct {
	Item    user.Item
	Message chat.Message
}

// Inbox reads up to limit items after an index, ascending, and the newest index.
func (s *Service) Inbox(ctx context.Context, me domain.UserID, after uint64, limit int) ([]Delivery, uint64, *domain.Error) {
	head, err := s.Store.Inboxes.Head(ctx, me)
	if err != nil {
		return nil, 0, s.fail(err)
	}
	newest := head.Last
	items, err := s.Store.Inboxes.Items(ctx, me, after, limit)
	if err != nil {
		return nil, 0, s.fail(err)
	}
	if n := len(items); n > 0 { // more may have come since the newest was read
		newest = max(newest, items[n-1].Index)
	}
	out := make([]Delivery, 0, len(items))
	size := 0
	for next := inboxChunk; len(items) > 0; {
		part := items[:min(next, len(items))]
		items = items[len(part):]
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
		// As many as will fit, if they are like those before: every look into
		// a chain reads a whole run of it.
		next = max((maxPage-size)*len(out)/size, 1)
	}
	return out, newest, nil
}

// inboxChunk is how many messages are read before the page's size is looked at.
const inboxChunk = 50

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
