package check

import (
	"fmt"
	"math"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// messages takes a history page: every entry is a claim, the page has no hole,
// and where it ends for want of more, it must not be out of date.
func (w *walk) messages(ev trail.Event, req request) {
	page, ask := ev.Frame.Messages, req.frame
	subject := "page " + ev.Where.String()
	for i, e := range page {
		if e.Conversation != ask.Conversation || e.Content == nil {
			w.wrong(ev, subject, "an entry of the page is of conversation %q, or without content", e.Conversation)
			continue
		}
		w.claim(ev, e)
		if !w.b.sees(w.user, e.Conversation, e.Index) {
			w.wrong(ev, subject, "the page shows %s index %d of %s, when he was not there", w.user, e.Index, short(e.Conversation))
		}
		if i > 0 && e.Pre != page[i-1].Index {
			w.wrong(ev, subject, "the page has a hole: index %d, then %d with pre %d", page[i-1].Index, e.Index, e.Pre)
		}
	}
	if limit := pageLimit(ask.Limit, 50); len(page) > limit {
		w.wrong(ev, subject, "%d entries, %d were asked for", len(page), limit)
	}
	if after := ask.AfterIndex(); after >= 0 {
		w.copy.Messages(ask.Conversation, after, page)
		w.forward(ev, ask, after)
	} else {
		w.backward(ev, ask)
	}
	w.asked(ev, req)
	w.fromJoining(ev, req)
}

// fromJoining: who joined sees a group from then on, and who came again, from
// then on.
func (w *walk) fromJoining(ev trail.Event, req request) {
	page, conv := ev.Frame.Messages, req.frame.Conversation
	g := w.b.groups[conv]
	if g == nil || len(page) == 0 {
		return
	}
	first := page[0].Index
	w.later = append(w.later, func(h *history) []Finding {
		for _, s := range h.between(g, conv, req.t, ev.T) {
			if m, in := s.find(w.user); in && m.since <= first {
				return nil
			}
		}
		return []Finding{{WrongAnswers, "page " + ev.Where.String(),
			fmt.Sprintf("the page shows %s index %d of %s, from before he joined", w.user, first, short(conv)), ev.Where}}
	})
}

func (w *walk) forward(ev trail.Event, ask trail.Frame, after int64) {
	page := ev.Frame.Messages
	if len(page) > 0 && (page[0].Index <= after || page[0].Pre > after && !w.b.begins(w.user, ask.Conversation, page[0].Index)) {
		w.wrong(ev, "page "+ev.Where.String(), "asked after %d, the page starts with %d (pre %d)", after, page[0].Index, page[0].Pre)
	}
	if chain := w.b.state.Chains[ask.Conversation]; ev.Frame.More && (len(page) == 0 ||
		len(chain) == 0 || chain[len(chain)-1].Index <= page[len(page)-1].Index) {
		w.wrong(ev, "page "+ev.Where.String(), "the page says that there is more, and there is none")
	}
}

func (w *walk) backward(ev trail.Event, ask trail.Frame) {
	page := ev.Frame.Messages
	more := len(page) > 0 && page[0].Pre != 0 && !w.b.begins(w.user, ask.Conversation, page[0].Index)
	if ev.Frame.More != more {
		w.wrong(ev, "page "+ev.Where.String(), "the page says more=%v, its first entry says %v", ev.Frame.More, more)
	}
	if ask.Before > 0 && len(page) > 0 && page[len(page)-1].Index >= ask.Before {
		w.wrong(ev, "page "+ev.Where.String(), "asked before %d, the page ends with %d", ask.Before, page[len(page)-1].Index)
	}
}

// asked notes how far the page had to reach.
func (w *walk) asked(ev trail.Event, req request) {
	page, ask := ev.Frame.Messages, req.frame
	a := asked{conv: ask.Conversation, t: req.t, upto: math.MaxInt64, where: ev.Where}
	after := ask.AfterIndex()
	if after >= 0 && ev.Frame.More || len(page) == 0 && ask.Before > 0 && w.b.groups[ask.Conversation] != nil {
		return // there is more, or nothing that he may see
	}
	a.last = max(after, 0)
	if ask.Before > 0 {
		a.upto = ask.Before
	}
	if len(page) > 0 {
		a.last = page[len(page)-1].Index
	}
	w.pages = append(w.pages, a)
}

// entries takes a page of the inbox.
func (w *walk) entries(ev trail.Event, req request) {
	page := ev.Frame.Entries
	w.copy.Entries(page)
	if ev.Frame.Inbox != nil {
		w.polled(ev, req)
	}
	last := max(req.frame.AfterIndex(), 0)
	subject := "page " + ev.Where.String()
	for _, e := range page {
		if e.Inbox == nil || e.Content == nil {
			w.wrong(ev, subject, "an inbox entry without inbox or content")
			return
		}
		if e.Inbox.Index <= last || e.Inbox.Pre > last {
			w.found(InboxMismatch, subject, ev.Where, "after inbox index %d the page has %d (pre %d)", last, e.Inbox.Index, e.Inbox.Pre)
		}
		last = e.Inbox.Index
		w.inboxClaim(ev, e)
		w.claim(ev, e)
	}
	if limit := pageLimit(req.frame.Limit, 200); len(page) > limit {
		w.wrong(ev, subject, "%d entries, %d were asked for", len(page), limit)
	}
	if len(page) > 0 && ev.Frame.Newest < last {
		w.found(InboxMismatch, subject, ev.Where, "newest %d is below the page's last, %d", ev.Frame.Newest, last)
	}
}

// rows takes a page of the list, which may be behind but never beside the chains.
func (w *walk) rows(ev trail.Event) {
	for _, r := range ev.Frame.Conversations {
		e := w.b.at[place{r.Conversation, r.Index}]
		if r.Index == 0 && r.N == 0 && r.Unread == 0 {
			continue // opened, nothing said yet
		}
		if e == nil || e.N != r.N || r.Unread < 0 || r.Unread > r.N {
			w.found(UnreadMismatch, fmt.Sprintf("row %v %s", ev.Where, r.Conversation), ev.Where,
				"%s's list shows %+v, which never was", w.user, r)
		}
	}
}

func pageLimit(asked, shipped int) int {
	if asked == 0 {
		return shipped
	}
	return asked
}
