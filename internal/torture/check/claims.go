package check

import (
	"fmt"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// claim compares what a client was told about a message with the final chain:
// an index never means two messages.
func (w *walk) claim(ev trail.Event, e trail.Entry) {
	w.claims++
	p := place{e.Conversation, e.Index}
	if t, ok := w.known[p]; !ok || ev.T < t {
		w.known[p] = ev.T
	}
	if final := w.b.at[p]; final != nil && final.Message == e.Message {
		w.same(ev, e, final)
		return
	}
	id := ident{e.Conversation, e.From, e.Key}
	if final := w.b.byMessage[e.Message]; final != nil {
		w.found(Reordered, id.String(), ev.Where, "%s: %s was told at index %d, it stands at %d of %s",
			id, ev.Frame.Type, e.Index, final.Index, short(final.Conversation))
		return
	}
	now := "nothing"
	if other := w.b.at[p]; other != nil {
		now = ident{other.Conversation, other.From, other.Key}.String()
	}
	w.found(Lost, id.String(), ev.Where, "%s: %s told it at index %d as message %s; that message is gone, at the index stands %s",
		id, ev.Frame.Type, e.Index, short(e.Message), now)
}

// same compares the parts of one message, told and final.
func (w *walk) same(ev trail.Event, e trail.Entry, final *trail.Entry) {
	id := ident{e.Conversation, e.From, e.Key}
	receipt := e.Content == nil // a receipt has neither content nor pre
	if e.N != final.N || (!receipt && e.Pre != final.Pre) {
		w.found(Reordered, id.String(), ev.Where, "%s at index %d: n %d pre %d were told, n %d pre %d stand",
			id, e.Index, e.N, e.Pre, final.N, final.Pre)
	}
	if e.From != final.From || e.Key != final.Key || (!receipt && !e.Content.Equal(content(final))) {
		w.found(Invented, id.String(), ev.Where, "%s at index %d: told from %s/%s %.80q, stands from %s/%s %.80q",
			id, e.Index, e.From, e.Key, e.Text(), final.From, final.Key, final.Text())
	}
	if e.At != final.At {
		w.wrong(ev, "time of "+id.String(), "%s at index %d: time %d was told, %d stands", id, e.Index, e.At, final.At)
	}
}

func content(e *trail.Entry) trail.Content {
	if e.Content == nil {
		return trail.Content{}
	}
	return *e.Content
}

// push takes a msg or own frame: its place in the inbox, its order on the link.
func (w *walk) push(ev trail.Event) {
	f := ev.Frame
	w.pushed++
	w.copy.Push(f)
	if f.Type == "msg" {
		w.claim(ev, f.Entry)
	} else if e := w.b.at[place{f.Conversation, f.Index}]; e == nil || e.From != w.user || e.Own() {
		w.found(InboxMismatch, "own "+ev.Where.String(), ev.Where,
			"own told %s that index %d of %s is a message of his; it is not", w.user, f.Index, short(f.Conversation))
	}
	if f.Inbox == nil {
		w.followed(ev)
		return
	}
	w.inboxClaim(ev, f.Entry)
	switch {
	case w.pushedTo < 0:
		w.found(InboxMismatch, "early "+ev.Where.String(), ev.Where, "%s was pushed before welcome", f.Type)
	case f.Inbox.Index <= w.pushedTo:
		w.repeats++ // to be ignored, says the protocol; around a welcome it cannot be helped
	case f.Inbox.Pre != w.pushedTo:
		w.found(InboxMismatch, "link "+ev.Where.String(), ev.Where,
			"on %s's link inbox index %d (pre %d) followed %d: what is between was never pushed", w.user, f.Inbox.Index, f.Inbox.Pre, w.pushedTo)
	}
	w.pushedTo = max(w.pushedTo, f.Inbox.Index)
}

// followed takes a push of a large group, which has no place in the inbox: it is
// for those who were members as of its index, and each link gets a group's
// entries in their order.
func (w *walk) followed(ev trail.Event) {
	f := ev.Frame
	subject := fmt.Sprint("push ", f.Conversation, "/", f.Index, " to ", w.user)
	if g := w.b.groups[f.Conversation]; g == nil || !g.follows(w.user, f.Index) {
		w.found(InboxMismatch, subject, ev.Where, "%s was pushed index %d of %s without inbox; it was not for him, or not so",
			w.user, f.Index, short(f.Conversation))
		return
	}
	told := w.followedTo[f.Conversation]
	switch {
	case told[f.Index]:
		w.repeats++
	case f.Index < w.followedMax[f.Conversation]:
		w.found(InboxMismatch, subject, ev.Where, "%s was pushed index %d of %s after %d",
			w.user, f.Index, short(f.Conversation), w.followedMax[f.Conversation])
	}
	if told == nil {
		told = map[int64]bool{}
		w.followedTo[f.Conversation] = told
	}
	told[f.Index] = true
	w.followedMax[f.Conversation] = max(w.followedMax[f.Conversation], f.Index)
}

// inboxClaim compares a told place of the inbox with the final inbox.
func (w *walk) inboxClaim(ev trail.Event, e trail.Entry) {
	w.inboxes = append(w.inboxes, fact{ev.T, e.Inbox.Index})
	final := w.b.inbox[w.user][e.Inbox.Index]
	subject := inboxPlace(w.user, e.Inbox.Index)
	switch {
	case final == nil:
		w.found(InboxMismatch, subject, ev.Where, "%s: %s told index %d of %s there; in the end nothing is there",
			subject, ev.Frame.Type, e.Index, short(e.Conversation))
	case final.Conversation != e.Conversation || final.Index != e.Index || final.Inbox.Pre != e.Inbox.Pre:
		w.found(InboxMismatch, subject, ev.Where, "%s: %s told index %d of %s (pre %d) there; in the end it is index %d of %s (pre %d)",
			subject, ev.Frame.Type, e.Index, short(e.Conversation), e.Inbox.Pre, final.Index, short(final.Conversation), final.Inbox.Pre)
	}
}
