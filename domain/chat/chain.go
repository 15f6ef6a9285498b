package chat

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/merchantim/merchantim/domain"
)

// PageSize is how many fingerprints a sealed page holds: page p has those of
// the indices p·PageSize+1 … (p+1)·PageSize.
const PageSize = 256

// Window is how many entries of a chain, from its first, are deduplicated by
// fingerprints in memory. Those of later entries are looked up in the store.
const Window = 32 * 1024

// Head is the newest state of a chain.
type Head struct {
	Position domain.Position // the record last applied
	Last     uint64          // newest index; 0: none yet
	N        uint64          // countable messages
	At       int64           // time of the newest entry, unix milliseconds
	Form     Form
	Title    string
	Made     uint64 // hash of what the group was made of
	// Members are sorted by id and never changed in place.
	Members   []Member
	Diffusion Diffusion
	// Tail are the fingerprints of the page not yet sealed, the newest last.
	Tail []uint32
}

// Exists reports whether the conversation was ever opened.
func (h *Head) Exists() bool { return h.Form != Absent }

// Past is what a chain asks of its stored history.
type Past interface {
	// Entry reads the entry at an index of this chain.
	Entry(index uint64) (Entry, error)
	// Aged lists the indices above Window whose fingerprint this is.
	Aged(fingerprint uint32) ([]uint64, error)
}

// Seed makes fingerprints unpredictable; one a store, made at its first start.
type Seed [16]byte

// Chain is the single chain of one conversation in the hands of its one owner.
type Chain struct {
	Head Head
	seed Seed
	seen table
}

// Result says what became of a record.
type Result uint8

// The results.
const (
	Appended Result = iota // a new entry
	Repeated               // known: the first answer again
	Refused                // Outcome.Refusal tells why; nothing changed
)

// Outcome is a chain's decision on one record.
type Outcome struct {
	Result      Result
	Entry       Entry
	Refusal     *domain.Error
	Fingerprint uint32
	// Sealed is set when this entry completed a page of fingerprints.
	Sealed []uint32
}

// NewChain takes a chain up from its stored head and sealed pages, in order.
func NewChain(seed Seed, head Head, pages [][]uint32) *Chain {
	c := &Chain{Head: head, seed: seed}
	index := uint64(1)
	for _, page := range append(pages, head.Tail) {
		for _, f := range page {
			c.seen.add(f, index)
			index++
		}
	}
	return c
}

// Open makes a direct conversation, once. It reports whether anything changed.
func (c *Chain) Open(members []domain.UserID, pos domain.Position) bool {
	if c.Head.Exists() {
		return false
	}
	c.Head.Form = Direct
	for _, id := range sortedIDs(members) {
		c.Head.Members = append(c.Head.Members, Member{ID: id})
	}
	c.Head.Position = pos
	return true
}

// Send decides on a message at this place of the log. An error means that the
// past could not be read; nothing changed and the same call may be made again.
func (c *Chain) Send(s *Send, pos domain.Position, past Past) (Outcome, error) {
	if !c.Head.Exists() {
		return refuse(domain.NotFound, "There is no such conversation."), nil
	}
	mark := c.fingerprint(s.From, s.Key)
	known, found, err := c.find(mark, s.From, s.Key, past)
	if err != nil {
		return Outcome{}, err
	}
	hash := Hash(s.Kind, s.Body)
	switch {
	case found && known.Hash == hash: // also for a sender who has left since
		return Outcome{Result: Repeated, Entry: known}, nil
	case !c.Head.Has(s.From):
		return refuse(domain.Forbidden, "You are not a member of this conversation."), nil
	case found:
		return refuse(domain.Conflict, "This key was used for another message."), nil
	}
	if len(s.After) > 0 {
		_, found, err = c.find(c.fingerprint(s.From, s.After), s.From, s.After, past)
		if err != nil {
			return Outcome{}, err
		}
		if !found {
			return refuse(domain.PredecessorMissing, "The message named in after was not accepted."), nil
		}
	}
	e := Entry{ID: s.ID, From: s.From, Key: s.Key, Kind: s.Kind, At: s.At / 1000, Hash: hash}
	return c.extend(e, mark, 1, pos), nil
}

// Park gives a record that cannot be processed a void entry, so that the later
// ones of the conversation go on.
func (c *Chain) Park(at int64, pos domain.Position) Outcome {
	return c.extend(Entry{Kind: Void, At: at}, 0, 0, pos)
}

// Find looks up what became of a message sent before.
func (c *Chain) Find(from domain.UserID, key []byte, past Past) (Entry, bool, error) {
	return c.find(c.fingerprint(from, key), from, key, past)
}

func (c *Chain) extend(e Entry, mark uint32, count uint64, pos domain.Position) Outcome {
	h := &c.Head
	e.Pre, e.Index = h.Last, h.Last+1
	h.Last = e.Index
	h.N += count
	e.N = h.N
	h.At = max(h.At, e.At)
	e.At = h.At
	h.Position = pos
	out := Outcome{Result: Appended, Entry: e, Fingerprint: mark}
	if e.Index > Window {
		return out
	}
	c.seen.add(mark, e.Index)
	h.Tail = append(h.Tail, mark)
	if len(h.Tail) == PageSize {
		out.Sealed, h.Tail = h.Tail, nil
	}
	return out
}

func (c *Chain) find(mark uint32, from domain.UserID, key []byte, past Past) (Entry, bool, error) {
	match := func(index uint64) (Entry, bool, error) {
		e, err := past.Entry(index)
		if err != nil {
			return Entry{}, false, err
		}
		return e, e.Kind != Void && e.From == from && string(e.Key) == string(key), nil
	}
	for i := c.seen.first(mark); i >= 0; i = c.seen.next(mark, i) {
		if e, ok, err := match(c.seen.index(i)); ok || err != nil {
			return e, ok, err
		}
	}
	if c.Head.Last <= Window {
		return Entry{}, false, nil
	}
	aged, err := past.Aged(mark)
	if err != nil {
		return Entry{}, false, err
	}
	for _, index := range aged {
		if e, ok, err := match(index); ok || err != nil {
			return e, ok, err
		}
	}
	return Entry{}, false, nil
}

// fingerprint is 32 bits of a seeded SHA-256 over sender and key, never 0: a
// sender cannot find keys that collide.
func (c *Chain) fingerprint(from domain.UserID, key []byte) uint32 {
	var room [16 + 64 + 1 + 64]byte
	b := append(room[:0], c.seed[:]...)
	b = append(b, from...)
	b = append(b, 0)
	b = append(b, key...)
	sum := sha256.Sum256(b)
	return max(binary.BigEndian.Uint32(sum[:4]), 1)
}

func refuse(code domain.Code, text string) Outcome {
	return Outcome{Result: Refused, Refusal: domain.Refuse(code, "%s", text)}
}

// Size estimates the memory of a chain in bytes.
func (c *Chain) Size() int { return 200 + 8*len(c.seen.slots) + 4*cap(c.Head.Tail) }
