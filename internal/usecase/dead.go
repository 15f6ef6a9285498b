package usecase

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
)

// MaxDead is how many dead letters one page has at most.
const MaxDead = 100

// replayTime is how long Replay waits for what becomes of its wish; replayLook
// is how often it looks.
const (
	replayTime = 5 * time.Second
	replayLook = 2 * time.Millisecond
)

// Dead is what an operator is told of a dead letter: all but what was written
// in it.
type Dead struct {
	store.Letter
	Fault string        // why this program cannot read the record; "": it can
	Kind  record.Kind   // of a readable one, as are the rest
	From  domain.UserID // sender
	Key   []byte
	At    int64 // when accepted, unix microseconds
}

// Replayed is what became of a replay.
type Replayed struct {
	Conversation domain.ConversationID
	Index        uint64 // of the entry; 0: nothing was left to do
	Again        bool   // it had been done before
}

func dead(l *store.Letter) Dead {
	d := Dead{Letter: *l}
	var r record.Single
	if err := record.DecodeSingle(l.Conversation[:], l.Record, &r); err != nil {
		d.Fault = err.Error()
		return d
	}
	d.Kind, d.From, d.Key, d.At = r.Kind, r.Send.From, r.Send.Key, r.Send.At
	return d
}

// DeadLetters reads up to limit dead letters after a place; nil: from the first.
// A letter is told of about a second after its record was parked.
func (s *Service) DeadLetters(ctx context.Context, after *domain.Place, limit int) ([]Dead, *domain.Error) {
	letters, err := s.Store.Dead(ctx, after, min(limit, MaxDead))
	if err != nil {
		return nil, s.fail(err)
	}
	all := make([]Dead, len(letters))
	for i := range letters {
		all[i] = dead(&letters[i])
	}
	return all, nil
}

// DeadLetter reads one dead letter.
func (s *Service) DeadLetter(ctx context.Context, place domain.Place) (Dead, *domain.Error) {
	id, ok, err := s.Store.Buried(ctx, place)
	if err != nil {
		return Dead{}, s.fail(err)
	}
	var l store.Letter
	if ok {
		if l, ok, err = s.Store.Chains.Letter(ctx, id, place); err != nil {
			return Dead{}, s.fail(err)
		}
	}
	if !ok {
		return Dead{}, domain.Refuse(domain.NotFound, "There is no dead letter %v.", place)
	}
	return dead(&l), nil
}

// Replay takes a parked record after all: it becomes a new entry, decided on as
// a message of now. A letter is replayed once; asked again, the first outcome is
// told. A refusal with the code conflict is the chain's own, and may be asked for
// again when its reason is gone.
func (s *Service) Replay(ctx context.Context, place domain.Place) (Replayed, *domain.Error) {
	letter, refusal := s.DeadLetter(ctx, place)
	switch {
	case refusal != nil:
		return Replayed{}, refusal
	case letter.Verdict.Done:
		return s.replayed(ctx, &letter, true)
	case letter.Fault != "":
		return Replayed{}, domain.Refuse(domain.Invalid, "This program cannot read the record either: %s.", letter.Fault)
	case letter.Kind == record.Replay:
		return Replayed{}, domain.Refuse(domain.Invalid, "This is a replay that could not be processed; replay the letter that it names.")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Replayed{}, s.fail(err)
	}
	wish := domain.MessageID(id)
	if refusal := s.Accept.Replay(letter.Conversation, time.Now().UnixMicro(), wish, place); refusal != nil {
		return Replayed{}, refusal
	}
	return s.outcome(ctx, &letter, wish)
}

// outcome waits for what becomes of a wish.
func (s *Service) outcome(ctx context.Context, letter *Dead, wish domain.MessageID) (Replayed, *domain.Error) {
	ctx, cancel := context.WithTimeout(ctx, replayTime)
	defer cancel()
	tick := time.NewTicker(replayLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return Replayed{}, domain.Refuse(domain.Unavailable, "There is no outcome yet; ask again.")
		}
		l, _, err := s.Store.Chains.Letter(ctx, letter.Conversation, letter.Place)
		if err != nil {
			return Replayed{}, s.fail(err)
		}
		letter.Verdict = l.Verdict
		switch v := &l.Verdict; {
		case v.Done:
			return s.replayed(ctx, letter, v.By != wish)
		case v.By == wish:
			if refusal := s.settled(ctx); refusal != nil {
				return Replayed{}, refusal
			}
			return Replayed{}, domain.Refuse(domain.Conflict, "It was refused (%s): %s", v.Code, v.Message)
		}
	}
}

func (s *Service) replayed(ctx context.Context, letter *Dead, again bool) (Replayed, *domain.Error) {
	if refusal := s.settled(ctx); refusal != nil {
		return Replayed{}, refusal
	}
	return Replayed{Conversation: letter.Conversation, Index: letter.Verdict.Index, Again: again}, nil
}
