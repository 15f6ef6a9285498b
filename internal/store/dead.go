package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/enc"
	"github.com/merchantim/merchantim/internal/kv"
)

// Letter is a dead letter: a record that could not be processed, and what
// became of it.
type Letter struct {
	Conversation domain.ConversationID
	Place        domain.Place
	Void         uint64 // index of the entry that holds its place; 0: there was no conversation
	Record       []byte // as it came
	Verdict      Verdict
}

// Verdict is what became of the newest wish to replay a letter; the zero one if
// there was none.
type Verdict struct {
	By      domain.MessageID // the wish, and the first entry that it made
	Done    bool             // for good; else it was refused
	Index   uint64           // Done: of the entry; 0: nothing was left to do
	Code    domain.Code      // refused: why
	Message string
}

type deadLetter struct {
	place domain.Place
	index uint64
	value []byte // nil: it is stored, its line in the index may be not
}

type settled struct {
	place   domain.Place
	verdict Verdict
}

func placeKey(kind byte, p domain.Place) []byte {
	k := enc.U32([]byte{kind}, p.Position.Incarnation)
	return enc.U64(enc.U32(k, uint32(p.Partition)), uint64(p.Position.Offset))
}

func readPlace(key []byte) (p domain.Place, err error) {
	r := enc.Read(key[1:])
	p.Position.Incarnation = r.U32()
	p.Partition = int32(r.U32())
	p.Position.Offset = int64(r.U64())
	return p, r.Done()
}

// Bury keeps a record that could not be processed as a dead letter, together
// with its void entry and the body shown for it; void is nil if the
// conversation does not exist. The two are one change: a void stored without
// its dead letter would be made a second time by the replay.
func (c *Chains) Bury(s *ChainState, place domain.Place, record []byte, void *chat.Outcome, body []byte) {
	index, size := uint64(0), int64(len(record))+perDead
	if void != nil {
		index = void.Entry.Index
		size += int64(len(body)) + perEntry
	}
	value := append(enc.Uvarint([]byte{layout}, index), record...)
	c.change(s, func(p *pendingChain) {
		if void != nil {
			p.add(void, body)
		}
		p.dead = append(p.dead, deadLetter{place, index, value})
		p.size += len(value) + perDead
	})
	c.bytes.Add(size)
}

// Exhume repeats the line of a dead letter in the index: it is written after
// the letter, and a crash may have come between.
func (c *Chains) Exhume(s *ChainState, place domain.Place, index uint64) {
	c.change(s, func(p *pendingChain) {
		p.dead = append(p.dead, deadLetter{place: place, index: index})
		p.size += perDead
	})
	c.bytes.Add(perDead)
}

// Settle keeps what became of a wish to replay a letter, the entries that it
// made, and the head. All of it is one change: no entry is made a second time.
func (c *Chains) Settle(s *ChainState, place domain.Place, v Verdict, steps []chat.Step) {
	size := perDead + sizeOf(steps, s.Head.Members)
	c.change(s, func(p *pendingChain) {
		p.size += perDead
		p.verdicts = append(p.verdicts, settled{place, v})
		p.alter(steps, s.Head.Members)
	})
	c.bytes.Add(size)
}

// deadOps adds the dead letters and verdicts of a chain to its batch.
func (p *pendingChain) deadOps(ops []kv.Op) []kv.Op {
	for _, d := range p.dead {
		if d.value != nil {
			ops = append(ops, kv.Op{Key: placeKey(keyDead, d.place), Value: d.value})
		}
	}
	for i := range p.verdicts {
		v := &p.verdicts[i]
		ops = append(ops, kv.Op{Key: placeKey(keyVerdict, v.place), Value: encodeVerdict(&v.verdict)})
	}
	return ops
}

// indexed adds the lines of the index of dead letters that a chain's batch asks
// for. They are in another partition, hence in a later batch: no line is ever
// stored without its letter.
func (p *pendingChain) indexed(ops []kv.Op) []kv.Op {
	for _, d := range p.dead {
		value := append([]byte{layout}, p.state.ID[:]...)
		ops = append(ops, kv.Op{Key: placeKey(keyDead, d.place), Value: enc.Uvarint(value, d.index)})
	}
	return ops
}

func encodeVerdict(v *Verdict) []byte {
	dst := append([]byte{layout}, v.By[:]...)
	dst = enc.Uvarint(append(dst, flagIf(v.Done, 1)), v.Index)
	return enc.Bytes(enc.Bytes(dst, v.Code), v.Message)
}

func decodeVerdict(value []byte) (v Verdict, err error) {
	r, err := open(value, "verdict")
	if err != nil {
		return v, err
	}
	v.By = r.ID()
	v.Done = r.Byte() == 1
	v.Index = r.Uvarint()
	v.Code, v.Message = domain.Code(r.Bytes()), string(r.Bytes())
	return v, r.Done()
}

// Letter reads a dead letter of a conversation; false if there is none.
func (c *Chains) Letter(ctx context.Context, id domain.ConversationID, place domain.Place) (l Letter, ok bool, err error) {
	value, verdict := c.pendingLetter(id, place)
	if value == nil {
		value, err = c.kv.Get(ctx, conversationPartition(id), placeKey(keyDead, place))
		if errors.Is(err, kv.ErrNotFound) {
			return l, false, nil
		}
		if err != nil {
			return l, false, fmt.Errorf("store: dead letter: %w", err)
		}
	}
	r, err := open(value, "dead letter")
	if err != nil {
		return l, false, err
	}
	l = Letter{Conversation: id, Place: place, Void: r.Uvarint()}
	l.Record = r.Take(uint64(r.Rest()))
	if err := r.Done(); err != nil {
		return l, false, fmt.Errorf("store: dead letter: %w", err)
	}
	if verdict == nil {
		verdict, err = c.storedVerdict(ctx, id, place)
	}
	if verdict != nil {
		l.Verdict = *verdict
	}
	return l, err == nil, err
}

func (c *Chains) pendingLetter(id domain.ConversationID, place domain.Place) (value []byte, verdict *Verdict) {
	c.pending.view(id, func(p *pendingChain) bool {
		for i := len(p.verdicts) - 1; i >= 0 && verdict == nil; i-- {
			if p.verdicts[i].place == place {
				v := p.verdicts[i].verdict
				verdict = &v
			}
		}
		for _, d := range p.dead {
			if d.place == place && d.value != nil {
				value = d.value
			}
		}
		return value == nil
	})
	return value, verdict
}

func (c *Chains) storedVerdict(ctx context.Context, id domain.ConversationID, place domain.Place) (*Verdict, error) {
	value, err := c.kv.Get(ctx, conversationPartition(id), placeKey(keyVerdict, place))
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil //nolint:nilnil // nobody asked for a replay yet
	}
	if err != nil {
		return nil, fmt.Errorf("store: verdict: %w", err)
	}
	v, err := decodeVerdict(value)
	return &v, err
}

// Buried finds the conversation of a dead letter by the index; false if there is
// no such letter, or none that is written yet.
func (s *Store) Buried(ctx context.Context, place domain.Place) (id domain.ConversationID, ok bool, err error) {
	value, err := s.kv.Get(ctx, systemPartition, placeKey(keyDead, place))
	if errors.Is(err, kv.ErrNotFound) {
		return id, false, nil
	}
	if err != nil {
		return id, false, fmt.Errorf("store: index of dead letters: %w", err)
	}
	id, err = readLine(value)
	return id, err == nil, err
}

func readLine(value []byte) (id domain.ConversationID, err error) {
	r, err := open(value, "line of a dead letter")
	if err != nil {
		return id, err
	}
	id = r.ID()
	r.Uvarint() // the void's index, which the letter has too
	return id, r.Done()
}

// Dead reads up to limit dead letters in the order of their places, those after
// a place; nil: from the first. It knows those that are written.
func (s *Store) Dead(ctx context.Context, last *domain.Place, limit int) (letters []Letter, err error) {
	from := []byte{keyDead}
	r := kv.Range{From: from, To: after(from), Limit: limit}
	if last != nil {
		r.From = append(placeKey(keyDead, *last), 0)
	}
	err = s.kv.Scan(ctx, systemPartition, r, func(key, value []byte) error {
		place, err := readPlace(key)
		if err != nil {
			return err
		}
		id, err := readLine(value)
		letters = append(letters, Letter{Conversation: id, Place: place})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: index of dead letters: %w", err)
	}
	for i := range letters {
		l := &letters[i]
		whole, ok, err := s.Chains.Letter(ctx, l.Conversation, l.Place)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("store: dead letter %v: %w", l.Place, kv.ErrCorrupt)
		}
		*l = whole
	}
	return letters, nil
}
