package client

import (
	"cmp"
	"slices"
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// The part of the loop that hands messages over and brings them to the store.

// saveEvery is how many entries are handed over at most before they are kept;
// they also are whenever the line is empty. Four times that may wait for a
// store that fails; then nothing more is handed over.
const (
	saveEvery  = 64
	saveAgain  = time.Second
	maxPending = 4 * saveEvery
)

func (l *loop) stuck() bool { return len(l.pending.Messages) >= maxPending }

// handedOver moves the position behind the first entry in line.
func (l *loop) handedOver() {
	it := l.box.line[0]
	l.box.line = l.box.line[1:]
	p, m := &l.pending, &it.message
	if it.inbox {
		p.Index = m.Inbox.Index
	}
	switch {
	case it.ends:
		delete(p.Heads, m.Conversation)
		p.Gone = append(p.Gone, m.Conversation)
	case it.starts || !it.inbox:
		p.follow(m.Conversation, m.Index)
	}
	if !it.again {
		p.Messages = append(p.Messages, it.message)
	}
}

func (b *Batch) follow(conversation string, index uint64) {
	if b.Heads == nil {
		b.Heads = make(map[string]uint64)
	}
	b.Heads[conversation] = index
	b.Gone = slices.DeleteFunc(b.Gone, func(c string) bool { return c == conversation })
}

// note takes into the store what an answer says of the list.
func (l *loop) note(q *request, r *wire.Received) {
	switch {
	case r.Type == "conversations":
		l.pending.Rows = append(l.pending.Rows, r.Conversations...)
		if q.epoch == l.box.epoch && r.Cursor == "" { // the last page of a Refresh
			l.pending.Version = cmp.Or(q.version, r.Version)
		}
	case q.op == wire.Read:
		if l.pending.Reads == nil {
			l.pending.Reads = make(map[string]uint64)
		}
		l.pending.Reads[q.conversation] = max(q.index, l.pending.Reads[q.conversation])
	}
}

// save brings what was handed over to the store, if it is time.
func (l *loop) save(now time.Time) {
	due := len(l.pending.Messages) >= saveEvery || len(l.box.line) == 0 || l.pending.Anew
	if due && !now.Before(l.saveAfter) {
		l.saveNow(now)
	}
}

func (l *loop) saveNow(now time.Time) {
	p := &l.pending
	for conversation, index := range l.box.begun {
		if _, moved := p.Heads[conversation]; !moved {
			p.follow(conversation, index)
		}
	}
	clear(l.box.begun)
	if p.empty() {
		return
	}
	if l.saveErr = l.o.Store.Apply(p); l.saveErr != nil {
		l.saveAfter = now.Add(saveAgain)
		l.tell(State{Up: l.link != nil, Err: l.saveErr})
		return
	}
	*p, l.saveAfter = Batch{}, time.Time{}
}
