package check

import (
	"fmt"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// statusOf is the HTTP status of each code.
var statusOf = map[string]int{
	"invalid": 400, "unauthenticated": 401, "forbidden": 403, "not_found": 404, "unknown_type": 405, "conflict": 409,
	"predecessor_missing": 409, "too_large": 413, "overloaded": 429, "unavailable": 503, "internal": 500,
}

// status: an answer of the short link has the status that its code has.
func (w *walk) status(ev trail.Event) {
	f := ev.Frame
	switch {
	case f.HTTP == 0: // of the long link
	case f.Type == "error" && f.HTTP != statusOf[f.Code], f.Type != "error" && f.HTTP/100 != 2:
		w.wrong(ev, "status "+ev.Where.String(), "%s %q has the HTTP status %d", f.Type, f.Code, f.HTTP)
	}
}

// polled takes the newest state that a page of the short link tells. Its heads
// are as of that page or a moment after it, so the set of large groups may be
// one of the next that there were.
func (w *walk) polled(ev trail.Event, req request) {
	told, user := *ev.Frame.Inbox, w.user
	w.later = append(w.later, func(h *history) []Finding {
		say := func(format string, args ...any) []Finding {
			return []Finding{{InboxMismatch, "polled " + ev.Where.String(), user + " was told " + fmt.Sprintf(format, args...), ev.Where}}
		}
		if known := h.inboxes[user].before(req.t); told.Index < known {
			return say("inbox index %d as the newest; he had %d before he asked", told.Index, known)
		}
		if end := len(w.b.state.Inboxes[user]); told.Index > int64(end) {
			return say("inbox index %d; in the end there are %d", told.Index, end)
		}
		for _, at := range w.b.turnsFrom(user, told.Index) {
			var least, most int64
			for conv := range w.b.largeAt(user, at) {
				least += h.chains[conv].before(req.t)
				most += w.b.newest(conv)
			}
			if told.Heads >= least && told.Heads <= most {
				return nil
			}
		}
		return say("heads of %d with inbox index %d, which they never were then", told.Heads, told.Index)
	})
}

// turnsAfter is how many changes of a user's large groups may come between the
// two looks of one request.
const turnsAfter = 12

// turnsFrom are an index of a user's inbox and those of the next turns after it.
func (b *book) turnsFrom(user string, inbox int64) []int64 {
	from := []int64{inbox}
	for _, t := range b.turns[user] {
		if t.inbox > inbox && len(from) <= turnsAfter {
			from = append(from, t.inbox)
		}
	}
	return from
}
