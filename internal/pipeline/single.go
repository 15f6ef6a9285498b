package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
)

// single gives the messages of its partition's conversations their place: the
// only writer of their chains. Its decisions depend on the records before,
// and on nothing else.
type single struct {
	chains *store.Chains
	states *cache[domain.ConversationID, *store.ChainState]
	outbox Outbox
	watch  Observer
	rec    record.Single
	fan    fanout
}

// maxChains is how many chains each owner keeps at hand, and maxChainBytes how
// much memory they take; twice that, see cache.
const (
	maxChains     = 50_000
	maxChainBytes = 64 << 20
)

func newSingle(chains *store.Chains, outbox Outbox, watch Observer, mixed int32) *single {
	return &single{
		chains: chains, outbox: outbox, watch: watch, fan: fanout{partitions: mixed},
		states: newCache[domain.ConversationID, *store.ChainState](maxChains, maxChainBytes),
	}
}

// step takes one record. An error means that the store could not be read:
// nothing was changed, and the same record must be given again.
func (s *single) step(ctx context.Context, r *stream.Record) error {
	err := record.DecodeSingle(r.Key, r.Value, &s.rec)
	if len(r.Key) != len(domain.ConversationID{}) {
		s.watch.Parked()
		return nil // no conversation to park it in; accept never writes such a record
	}
	state, lerr := s.load(ctx, domain.ConversationID(r.Key))
	if lerr != nil {
		return lerr
	}
	if err != nil {
		return s.park(ctx, state, r)
	}
	pos := position(r.Position)
	if !state.Head.Position.Before(pos) {
		return s.repeat(ctx, state, r)
	}
	return s.decide(ctx, state, r, pos)
}

func (s *single) load(ctx context.Context, id domain.ConversationID) (*store.ChainState, error) {
	if state, ok := s.states.get(id); ok {
		return state, nil
	}
	state, err := s.chains.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	s.states.put(id, state)
	return state, nil
}

// decide applies a new record.
func (s *single) decide(ctx context.Context, state *store.ChainState, r *stream.Record, pos domain.Position) error {
	switch s.rec.Kind {
	case record.Open:
		if state.Open(s.rec.Members, pos) {
			s.chains.Open(state)
		}
		s.outbox.Opened(s.rec.Origin, state.ID)
		return nil
	case record.Create, record.Change:
		return s.alter(ctx, state, r, pos)
	case record.Replay:
		return s.replay(ctx, state, r, pos)
	}
	size := state.Size()
	var out chat.Outcome
	err := guard(state, func() (err error) {
		out, err = state.Send(&s.rec.Send, pos, s.chains.Past(ctx, state.ID))
		return err
	})
	if errors.Is(err, errPoison) {
		return s.poison(ctx, state, r)
	}
	if err != nil {
		return fmt.Errorf("pipeline: single: %w", err)
	}
	switch out.Result {
	case chat.Refused:
		s.outbox.Refused(s.rec.Origin, out.Refusal)
		return nil
	case chat.Repeated:
		s.watch.Repeated()
	case chat.Appended:
		s.chains.Append(state, &out, s.rec.Send.Body)
		s.fan.out(state, &out.Entry, &s.rec, state.Head.Members, state.Head.Diffusion, nil)
		s.states.grew(state.Size() - size)
	}
	s.outbox.Sent(s.rec.Origin, state.ID, &out.Entry)
	s.watch.Answered(s.rec.Send.At)
	return nil
}

// alter makes a group or changes its members.
func (s *single) alter(ctx context.Context, state *store.ChainState, r *stream.Record, pos domain.Position) error {
	size := state.Size()
	steps, refusal, poison := tryReform(state, &s.rec, pos)
	if poison {
		return s.poison(ctx, state, r)
	}
	if refusal != nil {
		s.outbox.Refused(s.rec.Origin, refusal)
		return nil
	}
	index := uint64(0)
	if len(steps) > 0 {
		index = steps[0].Change.Index
		s.chains.Alter(state, steps)
		s.states.grew(state.Size() - size)
		s.fanSteps(state, steps)
	}
	if s.rec.Kind == record.Create {
		s.outbox.Opened(s.rec.Origin, state.ID)
	} else {
		s.outbox.Changed(s.rec.Origin, state.ID, index)
	}
	return nil
}

// tryReform is reform, which may bring a defect to light.
func tryReform(state *store.ChainState, rec *record.Single, pos domain.Position) (steps []chat.Step, refusal *domain.Error, poison bool) {
	err := guard(state, func() error {
		steps, refusal = reform(state.Chain, rec, pos)
		return nil
	})
	return steps, refusal, err != nil
}

// reform has the chain decide on a change of members.
func reform(c *chat.Chain, rec *record.Single, pos domain.Position) ([]chat.Step, *domain.Error) {
	send := &rec.Send
	if rec.Kind == record.Create {
		return c.Create(&chat.Creation{
			From: send.From, ID: send.ID, Title: rec.Title, Members: rec.Members, At: send.At, Limits: rec.Limits,
		}, pos)
	}
	return c.Alter(&chat.Changing{
		From: send.From, ID: send.ID, Add: rec.Members, Remove: rec.Removed, At: send.At, Limits: rec.Limits,
	}, pos)
}

// fanSteps fans a change of members out. Between its entries only the diffusion
// differs.
func (s *single) fanSteps(state *store.ChainState, steps []chat.Step) {
	for i := range steps {
		ch := &steps[i].Change
		s.fan.out(state, &steps[i].Outcome.Entry, &s.rec, state.Head.Members, ch.After, ch)
	}
}

// errPoison: the chain cannot decide on this record, now or ever.
var errPoison = errors.New("pipeline: poison")

// guard has the chain decide. A panic is a defect that this record brought to
// light: it is errPoison, with the chain as before, so that the others go on.
func guard(state *store.ChainState, decide func() error) (err error) {
	before := state.Head
	defer func() {
		if p := recover(); p != nil {
			state.Head = before
			err = errPoison
		}
	}()
	return decide()
}

// repeat takes a record that was applied before a crash or a hand-over: its
// entry stands, only what followed from it may be missing.
func (s *single) repeat(ctx context.Context, state *store.ChainState, r *stream.Record) error {
	switch s.rec.Kind {
	case record.Open:
		s.outbox.Opened(s.rec.Origin, state.ID)
		return nil
	case record.Create, record.Change:
		return s.repeatAlter(ctx, state, r)
	case record.Replay:
		return s.repeatReplay(ctx, state, r)
	}
	e, found, err := state.Find(s.rec.Send.From, s.rec.Send.Key, s.chains.Past(ctx, state.ID))
	if err != nil {
		return err
	}
	// An entry of this key that another record made stands elsewhere in the order:
	// told of here, it would overtake those before it, and an inbox skips whatever
	// is not above the newest that it took.
	if !found || e.ID != s.rec.Send.ID { // it was refused then, repeated, or parked
		_, err = s.buried(ctx, state, r)
		return err
	}
	return s.fanAsOf(ctx, state, &e, &s.rec)
}

// repeatAlter repeats what followed from a change of members, if there was any.
func (s *single) repeatAlter(ctx context.Context, state *store.ChainState, r *stream.Record) error {
	pos := position(r.Position)
	var own []chat.Change // newest first
	err := s.chains.Changes(ctx, state.ID, func(ch *chat.Change) bool {
		if ch.Position == pos {
			own = append(own, *ch)
		}
		return !ch.Position.Before(pos)
	})
	if err != nil {
		return err
	}
	if len(own) == 0 {
		_, err = s.buried(ctx, state, r)
		return err
	}
	for _, ch := range slices.Backward(own) {
		m, err := s.chains.Message(ctx, state.ID, ch.Index)
		if err != nil {
			return err
		}
		members, _, err := s.chains.AsOf(ctx, state, ch.Index)
		if err != nil {
			return err
		}
		s.fan.out(state, &m.Entry, &s.rec, members, ch.After, &ch)
	}
	return nil
}

// fanAsOf repeats the fan-out of a message or a void, to the members as of its
// index.
func (s *single) fanAsOf(ctx context.Context, state *store.ChainState, e *chat.Entry, rec *record.Single) error {
	members, diffusion, err := s.chains.AsOf(ctx, state, e.Index)
	if err != nil {
		return err
	}
	s.fan.out(state, e, rec, members, diffusion, nil)
	return nil
}
