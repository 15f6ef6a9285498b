package check

import (
	"fmt"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// kept holds what a client has in the end, after all that it missed, against the
// server: the whole inbox, every entry of its conversations, of a group those
// since it joined, and its list as it follows from the changes told.
func (w *walk) kept(ev trail.Event) {
	w.keptInbox(ev)
	for conv, pair := range w.b.state.Conversations {
		if pair[0] == w.user || pair[1] == w.user {
			w.keptChain(ev, conv, 1)
		}
	}
	for conv, g := range w.b.groups {
		if m, in := g.at(g.last).find(w.user); in {
			w.keptChain(ev, conv, m.since)
		}
	}
	w.keptRows(ev)
}

func (w *walk) keptInbox(ev trail.Event) {
	for _, e := range w.b.state.Inboxes[w.user] {
		if e.Inbox == nil {
			continue // the inboxes tell
		}
		held, ok := w.copy.InboxAt(e.Inbox.Index)
		same := held.Conversation == e.Conversation && held.Index == e.Index && (held.Message == "" || held.Message == e.Message)
		if !ok || !same {
			w.found(InboxMismatch, "kept "+inboxPlace(w.user, e.Inbox.Index), ev.Where, "%s: in the end the client holds %+v there, the server index %d of %s",
				inboxPlace(w.user, e.Inbox.Index), held, e.Index, short(e.Conversation))
		}
	}
}

func (w *walk) keptChain(ev trail.Event, conv string, since int64) {
	for _, e := range w.b.state.Chains[conv] {
		if e.Index < since {
			continue
		}
		message, ok := w.copy.At(conv, e.Index)
		if !ok || message != "" && message != e.Message {
			w.found(InboxMismatch, fmt.Sprint("kept ", ev.Where.File, " ", conv, "/", e.Index), ev.Where,
				"in the end %s holds message %q at index %d of %s, the server %s", w.user, short(message), e.Index, short(conv), short(e.Message))
		}
	}
}

func (w *walk) keptRows(ev trail.Event) {
	listed := map[string]bool{}
	for _, row := range w.b.state.Lists[w.user] {
		listed[row.Conversation] = true
		if held := w.copy.Rows()[row.Conversation]; held != row {
			w.found(UnreadMismatch, "kept row "+ev.Where.File+" "+row.Conversation, ev.Where,
				"the list of %s that follows the versions has %+v, the whole list %+v", w.user, held, row)
		}
	}
	for conv, held := range w.copy.Rows() {
		if !listed[conv] {
			w.found(UnreadMismatch, "kept row "+ev.Where.File+" "+conv, ev.Where,
				"the list of %s that follows the versions has %+v, the whole list does not", w.user, held)
		}
	}
}
