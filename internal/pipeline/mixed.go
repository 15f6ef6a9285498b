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
	pos := position(r.Position)
	if x.rec.Kind == record.Read {
		return x.read(ctx, pos)
	}
	var m chat.Message
	for _, id := range x.rec.Members {
		if userPartition(id, x.partitions) != x.partition {
			continue
		}
		if err := x.extend(ctx, id, pos, &m); err != nil {
			return err
		}
	}
	return nil
}

// extend gives one member the entry, unless he has it.
func (x *mixed) extend(ctx context.Context, id domain.UserID, pos domain.Position, m *chat.Message) error {
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
	row.With = other(rec.Members, id)
	row.Touch(rec.Index, rec.N, rec.Stamp, id == rec.User)
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

// other is the one of two members who is not id; nobody in a larger group.
func other(members []domain.UserID, id domain.UserID) domain.UserID {
	if len(members) != 2 {
		return ""
	}
	if members[0] == id {
		return members[1]
	}
	return members[0]
}
