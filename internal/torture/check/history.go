package check

import "github.com/merchantim/merchantim/internal/torture/trail"

// intent is a message that a client meant to be stored.
type intent struct {
	after string
	text  string
	t     int64 // when, before its first sending
	where trail.Where
}

// receipt is the first receipt of a message.
type receipt struct {
	t     int64
	where trail.Where
}

// reading is a read request; done if it was answered.
type reading struct {
	user, conv string
	index      int64
	done       bool
}

// asked is a history page that reached the end of what it asked for: it must
// hold everything below upto that was known before t.
type asked struct {
	conv       string
	t          int64
	upto, last int64
	where      trail.Where
}

// history is what all trails tell together.
type history struct {
	intents map[ident]intent
	acks    map[ident]receipt
	known   map[place]int64 // when somebody first knew what stands there
	reads   []reading
	pages   []asked
	inboxes map[string]timeline // by user: the newest place of his inbox that he was told
	chains  map[string]timeline // by conversation: the newest index that somebody was told
	begun   map[string]timeline // by conversation: see ceiling
	creates []creation
	changes []*change
	later   []func(*history) []Finding
	figures Verdict
}

func merge(b *book, walks []*walk) *history {
	h := &history{intents: map[ident]intent{}, acks: map[ident]receipt{}, known: map[place]int64{}}
	inboxes := map[string][]fact{}
	for _, w := range walks {
		for id, in := range w.intents {
			h.intents[id] = in
		}
		for id, r := range w.acks {
			if old, ok := h.acks[id]; !ok || r.t < old.t {
				h.acks[id] = r
			}
		}
		for p, t := range w.known {
			if old, ok := h.known[p]; !ok || t < old {
				h.known[p] = t
			}
		}
		h.reads = append(h.reads, w.reads...)
		h.pages = append(h.pages, w.pages...)
		h.creates = append(h.creates, w.creates...)
		h.changes = append(h.changes, w.changes...)
		h.later = append(h.later, w.later...)
		inboxes[w.user] = append(inboxes[w.user], w.inboxes...)
		h.figures.Pushed += w.pushed
		h.figures.Repeats += w.repeats
		h.figures.Claims += w.claims
		h.figures.Refused += w.refused
	}
	h.figures.Intended, h.figures.Acked = len(h.intents), len(h.acks)
	h.timelines(b, inboxes)
	return h
}
