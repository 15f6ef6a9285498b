package pipeline

import (
	"context"
	"errors"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
)

// buried reports whether a record was parked before, and repeats what followed.
func (s *single) buried(ctx context.Context, state *store.ChainState, r *stream.Record) (bool, error) {
	letter, known, err := s.chains.Letter(ctx, state.ID, placeOf(r))
	if err != nil || !known {
		return known, err
	}
	s.chains.Exhume(state, letter.Place, letter.Void)
	if letter.Void == 0 {
		return true, nil
	}
	void, err := s.chains.Message(ctx, state.ID, letter.Void)
	if err != nil {
		return true, err
	}
	return true, s.fanAsOf(ctx, state, &void.Entry, &record.Single{})
}

func placeOf(r *stream.Record) domain.Place {
	return domain.Place{Partition: r.Partition, Position: position(r.Position)}
}

// park puts a record that cannot be processed aside: a dead letter, and a void
// entry that holds its place.
func (s *single) park(ctx context.Context, state *store.ChainState, r *stream.Record) error {
	if known, err := s.buried(ctx, state, r); known || err != nil {
		return err
	}
	s.watch.Parked()
	if !state.Head.Exists() {
		s.chains.Bury(state, placeOf(r), r.Value, nil, nil)
		return nil
	}
	out := state.Park(state.Head.At, position(r.Position))
	s.chains.Bury(state, placeOf(r), r.Value, &out, []byte(voidBody))
	s.fan.out(state, &out.Entry, &record.Single{}, state.Head.Members, state.Head.Diffusion, nil)
	return nil
}

// voidBody is what a client sees in place of a parked record.
const voidBody = `{"type":"void"}`

// poison parks a record and tells whoever waits for its answer.
func (s *single) poison(ctx context.Context, state *store.ChainState, r *stream.Record) error {
	if err := s.park(ctx, state, r); err != nil {
		return err
	}
	s.outbox.Refused(s.rec.Origin, unprocessed())
	return nil
}

func unprocessed() *domain.Error {
	return domain.Refuse(domain.Internal, "The message could not be processed.")
}

// replay takes a parked record after all: as of this place, and once. What
// became of it is kept beside the letter, in one change with the entries that it
// made; there, whoever asked for it looks. A letter that still cannot be
// processed makes the wish itself a dead letter, so that what is answered later
// keeps its place whatever program replays the log.
func (s *single) replay(ctx context.Context, state *store.ChainState, r *stream.Record, pos domain.Position) error {
	letter, found, err := s.chains.Letter(ctx, state.ID, s.rec.Letter)
	if err != nil || !found || letter.Verdict.Done {
		return err
	}
	var old record.Single
	if err := record.DecodeSingle(r.Key, letter.Record, &old); err != nil || old.Kind == record.Replay {
		return s.giveUp(ctx, state, r)
	}
	old.Send.ID, old.Send.At = s.rec.Send.ID, s.rec.Send.At
	verdict := store.Verdict{By: s.rec.Send.ID, Done: true}
	var steps []chat.Step
	size := state.Size()
	err = guard(state, func() (err error) {
		steps, err = s.again(ctx, state, &old, pos, &verdict)
		return err
	})
	if errors.Is(err, errPoison) {
		return s.giveUp(ctx, state, r)
	}
	if err != nil {
		return err
	}
	if len(steps) > 0 {
		verdict.Index = steps[0].Outcome.Entry.Index
	}
	state.Head.Position = pos // also of a refusal: it is not decided on again
	s.chains.Settle(state, letter.Place, verdict, steps)
	s.states.grew(state.Size() - size)
	if old.Kind == record.Send {
		for i := range steps {
			s.fan.out(state, &steps[i].Outcome.Entry, &s.rec, state.Head.Members, state.Head.Diffusion, nil)
		}
		return nil
	}
	s.fanSteps(state, steps)
	return nil
}

// again has the chain decide on a record that was parked.
func (s *single) again(ctx context.Context, state *store.ChainState, old *record.Single, pos domain.Position, v *store.Verdict) (steps []chat.Step, err error) {
	var refusal *domain.Error
	switch old.Kind {
	case record.Open:
		state.Open(old.Members, pos)
	case record.Create, record.Change:
		steps, refusal = reform(state.Chain, old, pos)
	default:
		var out chat.Outcome
		if out, err = state.Send(&old.Send, pos, s.chains.Past(ctx, state.ID)); err != nil {
			return nil, err
		}
		switch refusal = out.Refusal; out.Result {
		case chat.Appended:
			steps = []chat.Step{{Outcome: out, Body: old.Send.Body}}
		case chat.Repeated: // its sender has sent it again since
			v.Index = out.Entry.Index
		}
	}
	if refusal != nil {
		v.Done, v.Code, v.Message = false, refusal.Code, refusal.Message
	}
	return steps, nil
}

// giveUp parks a wish whose letter still cannot be processed, and says so.
func (s *single) giveUp(ctx context.Context, state *store.ChainState, r *stream.Record) error {
	if err := s.park(ctx, state, r); err != nil {
		return err
	}
	why := unprocessed()
	s.chains.Settle(state, s.rec.Letter, store.Verdict{By: s.rec.Send.ID, Code: why.Code, Message: why.Message}, nil)
	return nil
}

// repeatReplay repeats what followed from a wish that was applied before.
func (s *single) repeatReplay(ctx context.Context, state *store.ChainState, r *stream.Record) error {
	letter, found, err := s.chains.Letter(ctx, state.ID, s.rec.Letter)
	if err != nil {
		return err
	}
	if v := &letter.Verdict; !found || v.By != s.rec.Send.ID || !v.Done || v.Index == 0 {
		_, err = s.buried(ctx, state, r)
		return err
	}
	m, err := s.chains.Message(ctx, state.ID, letter.Verdict.Index)
	switch {
	case err != nil:
		return err
	case m.ID != s.rec.Send.ID: // it was there already
		return nil
	case m.Kind == chat.Text:
		return s.fanAsOf(ctx, state, &m.Entry, &s.rec)
	}
	return s.repeatAlter(ctx, state, r)
}
