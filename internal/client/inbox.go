package client

import (
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Message is a message as it came to the user.
type Message struct {
	Inbox        Position // the place of this entry in the inbox
	Conversation string
	Index        uint64 // place in the conversation; Pre is the one before, 0: none
	Pre          uint64
	N            uint64
	ID           string
	From         string
	Key          string
	At           time.Time
	Text         string
	Void         bool // the entry could not be processed: it has no text
}

// Page is a page of history, ascending. More says that there are further ones.
type Page struct {
	Messages []Message
	More     bool
}

func messageOf(epoch string, s *wire.Shown) Message {
	text, ok := s.Text()
	return Message{Inbox: Position{Epoch: epoch, Index: s.Inbox.Index}, Conversation: s.Conversation, Index: s.Index,
		Pre: s.Pre, N: s.N, ID: s.Message, From: s.From, Key: s.Key, At: time.UnixMilli(s.At), Text: text, Void: !ok}
}

// inbox puts pushes and pulled pages in one line without gap or repetition.
// It belongs to the loop.
type inbox struct {
	at    Position // of the newest entry in line
	known uint64   // newest entry that is known to exist
	line  []item   // not yet handed over
	max   int      // of line
	ahead []item   // pushed behind a gap, ascending; at most maxAhead
	mine  func(from, key string) bool
}

const maxAhead = 256

// item is an entry on its way to the user. A silent one only moves the
// position: a message that this client sent itself.
type item struct {
	place   wire.Place
	silent  bool
	message Message
}

// greeted takes the welcome of a new link. Under a new epoch the position
// means nothing, and everything is read again.
func (b *inbox) greeted(epoch string, newest uint64, fromNow bool) {
	if b.at.Epoch != epoch {
		first := b.at == Position{}
		if b.at = (Position{Epoch: epoch}); first && fromNow {
			b.at.Index = newest
		}
		b.known, b.line = 0, nil
	}
	b.ahead = nil
	b.exists(newest)
}

// exists notes that there is an entry with this index.
func (b *inbox) exists(index uint64) { b.known = max(b.known, index) }

// pushed takes a msg or own frame.
func (b *inbox) pushed(r *wire.Received) {
	b.exists(r.Inbox.Index)
	it := b.item(&r.Shown)
	it.silent = it.silent || r.Type == "own"
	switch {
	case it.place.Index <= b.at.Index:
	case it.place.Pre > b.at.Index || len(b.line) >= b.max:
		if n := len(b.ahead); n < maxAhead && (n == 0 || b.ahead[n-1].place.Index < it.place.Index) {
			b.ahead = append(b.ahead, it)
		}
	default:
		b.take(it)
	}
}

// pulled takes a page of the inbox, and then what was pushed behind the gap
// that it closed.
func (b *inbox) pulled(entries []wire.Shown, newest uint64) {
	b.exists(newest)
	for i := range entries {
		if it := b.item(&entries[i]); it.place.Index > b.at.Index {
			b.take(it)
		}
	}
	for len(b.ahead) > 0 && len(b.line) < b.max && b.ahead[0].place.Pre <= b.at.Index {
		if b.ahead[0].place.Index > b.at.Index {
			b.take(b.ahead[0])
		}
		b.ahead = b.ahead[1:]
	}
	if len(entries) == 0 {
		b.known = b.at.Index // the server has no more, whatever it said
	}
}

// pull returns how many entries to ask for after b.at.Index, 0: none.
func (b *inbox) pull() int {
	if room := b.max - len(b.line); b.known > b.at.Index && room >= (b.max+1)/2 {
		return min(room, wire.DefaultInbox)
	}
	return 0
}

func (b *inbox) take(it item) {
	b.at.Index = it.place.Index
	b.line = append(b.line, it)
}

func (b *inbox) item(s *wire.Shown) item {
	return item{place: s.Inbox, silent: b.mine(s.From, s.Key), message: messageOf(b.at.Epoch, s)}
}
