package pipeline

import (
	"context"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/conversation"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
)

// mixed extends the inboxes of its partition's users, keeps the rows of their
// lists, and pushes what is new: the only writer of both.
type mixed struct {
	chains     *store.Chains
	inboxes    *store.Inboxes
	states     *cache[domain.UserID, *store.InboxState]
	outbox     Outbox
	watch      Observer
	partition  int32
	partitions int32
	rec        record.Mixed
}

// maxInboxes is how many inboxes each owner keeps at hand, and maxInboxBytes how
// much memory they take; twice that, see cache.
const (
	maxInboxes    = 50_000
	maxInboxBytes = 64 << 20
)

func newMixed(st *store.Store, outbox Outbox, watch Observer, partition, partitions int32) *mixed {
	return &mixed{
		chains: st.Chains, inboxes: st.Inboxes, outbox: outbox, watch: watch,
		partition: partition, partitions: partitions,
		states: newCache[domain.UserID, *store.InboxState](maxInboxes, maxInboxBytes),
	}
}

// step takes one record. After an error the same record must be given again;
// members already served are skipped then.
func (x *mixed) step(ctx context.Context, r *stream.Record) error {
	if err := record.DecodeMixed(r.Value, &x.rec); err != nil {
		x.watch.Parked() // single never writes such a record; its entry stands in the chain
		return nil       //nolint:nilerr // it must not hold back the others
	}
	if err := x.outbox.Room(ctx); err != nil {
		return err
	}
	pos := position(r.Position)
	if x.rec.Kind == record.Read {
		return x.read(ctx, pos)
	}
	if x.rec.Kind == record.Follow {
		return x.follow(ctx, pos)
	}
	var m chat.Message
	for i := range x.rec.Concerned {
		if userPartition(x.rec.Concerned[i].User, x.partitions) != x.partition {
			continue
		}
		if err := x.extend(ctx, &x.rec.Concerned[i], pos, &m); err != nil {
			return err
		}
	}
	return nil
}

// extend gives one user the entry, unless he has it.
func (x *mixed) extend(ctx context.Context, c *record.Concerned, pos domain.Position, m *chat.Message) error {
	id := c.User
	state, row, err := x.load(ctx, id)
	if err != nil {
		return err
	}
	rec := &x.rec
	if rec.Index <= row.Index {
		return nil
	}
	online := x.outbox.Online(id)
	if online && m.Index == 0 {
		if *m, err = x.chains.Message(ctx, rec.Conversation, rec.Index); err != nil {
			return err
		}
	}
	item, _ := state.Extend(rec.Conversation, rec.Index, row.Index)
	x.touch(row, c)
	state.Follow(rec.Conversation, row.Large)
	state.Position = pos
	x.inboxes.Save(state, rec.Conversation, row, item)
	if !online && x.outbox.Online(id) {
		online = x.met(ctx, m)
	}
	if online {
		x.outbox.Push(id, item, rec.Origin, m)
		if id != rec.User {
			x.watch.Pushed(rec.At)
		}
	}
	return nil
}

// touch takes the entry into a user's row.
func (x *mixed) touch(row *conversation.Row, c *record.Concerned) {
	rec := &x.rec
	row.Touch(rec.Index, rec.N, rec.Stamp, c.User == rec.User)
	if !rec.Group {
		row.With = other(rec.Concerned, c.User)
		return
	}
	row.Group, row.Large = true, rec.Large
	switch c.Part {
	case record.Joins:
		row.Title = rec.Title
		row.Join(rec.N)
	case record.Goes:
		row.Leave()
	}
}

// follow tells of a new head of a conversation whose members follow it: those
// who are online, and the sender's row, since what he sent he has read.
func (x *mixed) follow(ctx context.Context, pos domain.Position) error {
	rec := &x.rec
	if rec.User != "" && userPartition(rec.User, x.partitions) == x.partition {
		state, row, err := x.load(ctx, rec.User)
		if err != nil {
			return err
		}
		if rec.N > row.OwnN {
			row.Sent(rec.N)
			state.Position = pos
			x.inboxes.Save(state, rec.Conversation, row, user.Item{})
		}
	}
	if conversationPartition(rec.Conversation, x.partitions) != x.partition {
		return nil
	}
	head, err := x.chains.Roster(ctx, rec.Conversation)
	if err != nil {
		return err
	}
	var m chat.Message
	for i := range head.Members {
		// Who has joined by a later entry did not get this one, and who joined by
		// this one has it in his inbox.
		id := head.Members[i].ID
		if head.Members[i].Since >= rec.Index || !x.outbox.Online(id) {
			continue
		}
		if m.Index == 0 {
			if m, err = x.chains.Message(ctx, rec.Conversation, rec.Index); err != nil {
				return err
			}
		}
		x.outbox.Push(id, user.Item{Conversation: rec.Conversation, Entry: rec.Index}, rec.Origin, &m)
		if id != rec.User {
			x.watch.Pushed(rec.At)
		}
	}
	return nil
}

// met reads the message for a user who came online while his inbox was extended:
// his welcome may name the index before. If it cannot be read, he is not pushed
// to, and the next push or pong tells him that there is a gap.
func (x *mixed) met(ctx context.Context, m *chat.Message) bool {
	if m.Index != 0 {
		return true
	}
	read, err := x.chains.Message(ctx, x.rec.Conversation, x.rec.Index)
	if err != nil {
		return false
	}
	*m = read
	return true
}

// read moves a user's read position; replayed, it does not move.
func (x *mixed) read(ctx context.Context, pos domain.Position) error {
	state, row, err := x.load(ctx, x.rec.User)
	if err != nil {
		return err
	}
	if row.MarkRead(x.rec.Index, x.rec.N) {
		state.Position = pos
		x.inboxes.Save(state, x.rec.Conversation, row, user.Item{})
	}
	x.outbox.Done(x.rec.Origin)
	return nil
}

func (x *mixed) load(ctx context.Context, id domain.UserID) (*store.InboxState, *conversation.Row, error) {
	state, ok := x.states.get(id)
	if !ok {
		var err error
		if state, err = x.inboxes.Load(ctx, id); err != nil {
			return nil, nil, err
		}
		x.states.put(id, state)
	}
	size := state.Size()
	row, err := x.inboxes.Row(ctx, state, x.rec.Conversation)
	x.states.grew(max(state.Size()-size, 0))
	return state, row, err
}

// other is the one of two members who is not id.
func other(concerned []record.Concerned, id domain.UserID) domain.UserID {
	for _, c := range concerned {
		if c.User != id {
			return c.User
		}
	}
	return ""
}
