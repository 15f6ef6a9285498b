package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/merchantim/merchantim/internal/torture/keep"
	"github.com/merchantim/merchantim/internal/torture/trail"
)

// newest takes what a welcome or a pong tells of the user's chains: nothing that
// never was, and nothing older than what his devices knew before they asked.
func (w *walk) newest(ev trail.Event, req request) {
	if ev.Frame.Inbox == nil {
		w.wrong(ev, "newest "+ev.Where.String(), "%s without inbox", ev.Frame.Type)
		return
	}
	if ev.Frame.Type == "pong" {
		w.copy.Pong(ev.Frame)
	}
	told, user := *ev.Frame.Inbox, w.user
	w.later = append(w.later, func(h *history) []Finding {
		say := func(format string, args ...any) []Finding {
			return []Finding{{InboxMismatch, "newest " + ev.Where.String(), user + " was told " + fmt.Sprintf(format, args...), ev.Where}}
		}
		if known := h.inboxes[user].before(req.t); told.Index < known {
			return say("inbox index %d as the newest; he had %d before he asked", told.Index, known)
		}
		if end := len(w.b.state.Inboxes[user]); told.Index > int64(end) {
			return say("inbox index %d; in the end there are %d", told.Index, end)
		}
		var least, most int64
		large := w.b.largeAt(user, told.Index)
		for conv := range large {
			least += h.chains[conv].before(req.t)
			most += w.b.newest(conv)
		}
		if told.Heads < least || told.Heads > most {
			return say("that his heads sum up to %d; before he asked it was %d, in the end %d, in %d large groups at inbox index %d",
				told.Heads, least, most, len(large), told.Index)
		}
		return nil
	})
}

// heads takes the list of heads.
func (w *walk) heads(ev trail.Event, req request) {
	for _, head := range ev.Frame.Heads {
		subject := fmt.Sprint("heads ", ev.Where, " ", head.Conversation)
		if head.Index > w.b.newest(head.Conversation) {
			w.found(InboxMismatch, subject, ev.Where, "%s was told head %d of %s, which ends with %d",
				w.user, head.Index, short(head.Conversation), w.b.newest(head.Conversation))
			continue
		}
		w.later = append(w.later, func(h *history) []Finding {
			if known := h.chains[head.Conversation].before(req.t); head.Index < known {
				return []Finding{{InboxMismatch, subject, fmt.Sprintf("%s was told head %d of %s; %d was known before he asked",
					w.user, head.Index, short(head.Conversation), known), ev.Where}}
			}
			return nil
		})
	}
}

// recovered takes a welcome that says so: the position was of this numbering,
// what follows goes on from it, and with that the client has everything.
func (w *walk) recovered(ev trail.Event, req request) {
	at, now := req.frame.Inbox, ev.Frame.Inbox
	subject := "recovered " + ev.Where.String()
	switch {
	case at == nil || now == nil:
		w.wrong(ev, subject, "%s told no position and is recovered", w.user)
		return
	case at.Epoch != ev.Frame.Epoch:
		w.wrong(ev, subject, "%s told a position of epoch %q and is recovered in %q", w.user, at.Epoch, ev.Frame.Epoch)
		return
	case at.Index > now.Index, now.Index-at.Index > 500:
		w.found(InboxMismatch, subject, ev.Where, "%s told inbox index %d, the newest is %d, and is recovered", w.user, at.Index, now.Index)
		return
	case at.Heads != now.Heads:
		w.found(InboxMismatch, subject, ev.Where, "%s told heads of %d, they are at %d, and is recovered", w.user, at.Heads, now.Heads)
		return
	}
	w.pushedTo, w.owed = at.Index, now.Index
	if at.Heads == w.copy.Sum() && at.Index <= w.copy.Inbox { // else it said what it does not have
		w.whole(ev, max(at.Index, w.copy.Inbox), *now)
	}
}

// whole applies the missed entries to what the client has, and compares what
// it has then with what the server has.
func (w *walk) whole(ev trail.Event, from int64, now trail.Place) {
	then := w.copy.Clone()
	say := func(format string, args ...any) {
		w.found(InboxMismatch, "recovered "+ev.Where.String(), ev.Where, w.user+" is recovered: "+format, args...)
	}
	for i := from + 1; i <= now.Index; i++ {
		entry := w.b.inbox[w.user][i]
		if entry == nil {
			return // the inboxes tell
		}
		final := w.b.at[place{entry.Conversation, entry.Index}]
		if final == nil {
			return
		}
		e := *final
		e.Inbox = entry.Inbox
		if then.Apply(e) && w.copy.Group(e.Conversation).Mode == keep.Read { // else the gap is an older one
			say("he lacks entries of %s below %d, which was large", short(e.Conversation), e.Index)
		}
	}
	var sum int64
	var detail []string
	for conv := range w.b.largeAt(w.user, now.Index) {
		have := then.Group(conv).Have
		sum += have
		detail = append(detail, fmt.Sprintf("%s %d", short(conv), have))
	}
	slices.Sort(detail)
	if sum != now.Heads {
		say("with what follows his heads are at %d (%s), the server's at %d", sum, strings.Join(detail, ", "), now.Heads)
	}
}

// paid looks at the first frame after a recovered welcome that is no push: all
// that was missed must have come before it.
func (w *walk) paid(ev trail.Event) {
	if w.owed > 0 && w.pushedTo < w.owed {
		w.found(InboxMismatch, "owed "+ev.Where.String(), ev.Where,
			"%s is recovered up to inbox index %d, and what followed ended with %d", w.user, w.owed, w.pushedTo)
		w.pushedTo = w.owed
	}
	w.owed = 0
}

// ends: with nothing under way, everybody is told exactly what there is, and
// may come back with it.
func ends(b *book, _ *history) []Finding {
	var out []Finding
	for user, end := range b.state.Ends {
		say := func(what, format string, args ...any) {
			out = append(out, Finding{InboxMismatch, what + " of " + user, user + " at the end: " + fmt.Sprintf(format, args...), trail.Where{}})
		}
		last := int64(len(b.state.Inboxes[user]))
		if end.Pong.Index != last {
			say("index", "the newest inbox index told is %d, it is %d", end.Pong.Index, last)
		}
		large := b.largeAt(user, last)
		var sum int64
		for conv := range large {
			sum += b.newest(conv)
		}
		if end.Pong.Heads != sum {
			say("heads", "his heads are said to be at %d, they are at %d", end.Pong.Heads, sum)
		}
		for _, h := range end.Heads {
			if !large[h.Conversation] || h.Index != b.newest(h.Conversation) {
				say("head "+h.Conversation, "%s is listed as large, with head %d; large %v, head %d",
					short(h.Conversation), h.Index, large[h.Conversation], b.newest(h.Conversation))
			}
		}
		if len(end.Heads) != len(large) {
			say("list of heads", "%d large groups are listed, there are %d", len(end.Heads), len(large))
		}
		if !end.Behind || !end.Whole {
			say("return", "recovered from a little behind: %v, with everything: %v", end.Behind, end.Whole)
		}
	}
	return out
}

// deferred is what could only be judged once all had been heard.
func deferred(_ *book, h *history) []Finding {
	var out []Finding
	for _, judge := range h.later {
		out = append(out, judge(h)...)
	}
	return out
}
