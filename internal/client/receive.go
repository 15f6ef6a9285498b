package client

import (
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// The part of the loop that takes what comes, and asks for what is missing.

// receive takes one frame of the server.
func (l *loop) receive(r *wire.Received, now time.Time) {
	if l.link == nil {
		return // given up while its last frames were read
	}
	l.heard = true
	if r.ID != "" && r.Type != "error" {
		// Not at the welcome: a server may greet and give up at once.
		l.tries = 0
		if !l.short {
			l.fails, l.proven = 0, true
		}
	}
	switch {
	case r.Type == "msg" || r.Type == "own":
		l.box.pushed(r)
	case r.ID == "":
	case l.pulls[r.ID] != nil:
		l.pulled(r, now)
	case r.ID == l.heads:
		l.headed(r, now)
	case r.ID == l.ping && r.Type == "pong":
		l.ping = ""
		l.box.tells(r.Inbox)
	case r.Type == "sent":
		l.sent(r)
	case r.Type == "error" && l.outbox.byID[r.ID] != nil:
		l.outbox.refused(r.ID, now, r)
	default:
		if q := l.calls.answered(r, now); q != nil {
			l.note(&q.request, r)
		}
	}
}

func (l *loop) sent(r *wire.Received) {
	text, ok := l.outbox.accepted(r.ID, Receipt{Conversation: r.Conversation, Key: r.Key, Message: r.Message,
		Index: r.Index, N: r.N, At: time.UnixMilli(r.At)})
	if ok && !l.short && r.Index > l.box.newestOf(r.Conversation) {
		s := r.Shown
		s.From, s.Content = l.box.user, wire.AppendTextContent(nil, []byte(text))
		l.box.own.add(&s)
	}
}

// longest is how long the short link waits for something new.
const longest = 25 * time.Second

// pullMore asks for what is missing. On the short link it always asks for the
// inbox, and lets the server wait until there is something.
func (l *loop) pullMore(now time.Time) {
	if t := l.box.inbox; t.pull == "" && !now.Before(t.after) {
		if n := l.box.pull(t); n > 0 {
			l.ask(t, &request{op: wire.Inbox, index: t.at, limit: min(n, wire.MaxInbox)})
		} else if room := l.box.max - len(l.box.line); l.short && !t.gap() && room >= (l.box.max+1)/2 && l.box.blocked == "" {
			l.ask(t, &request{op: wire.Inbox, index: t.at, limit: min(room, wire.MaxInbox), wait: longest, heads: l.box.told})
		}
	}
	for t := range l.box.late {
		if !t.gap() {
			delete(l.box.late, t)
			continue
		}
		if n := l.box.pull(t); n > 0 && t.pull == "" && !now.Before(t.after) && len(l.pulls) < maxPulls {
			l.ask(t, &request{op: wire.History, conversation: t.of, index: t.at, behind: true, limit: min(n, wire.MaxHistory)})
		}
	}
	if l.heads == "" && !now.Before(l.headsAfter) && l.box.wantsHeads() {
		l.heads, l.box.asked, l.box.stray = l.nextID(), l.box.told, false
		l.link.send(l.heads, &request{op: wire.Heads})
	}
}

// maxPulls is how many tracks are pulled at a time.
const maxPulls = 8

func (l *loop) ask(t *track, r *request) {
	t.pull = l.nextID()
	l.pulls[t.pull] = t
	l.link.send(t.pull, r)
}

// pullWake returns when what was refused may be asked again.
func (l *loop) pullWake(now time.Time) (at time.Time, ok bool) {
	sooner := func(t time.Time) {
		if now.Before(t) && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	sooner(l.headsAfter)
	sooner(l.box.inbox.after)
	for t := range l.box.late {
		sooner(t.after)
	}
	return at, ok
}

// pulled takes the answer to a pull. A refused one is tried again, unless the
// group shows itself to us no more.
func (l *loop) pulled(r *wire.Received, now time.Time) {
	t := l.pulls[r.ID]
	delete(l.pulls, r.ID)
	t.pull = ""
	switch {
	case t.of == "" && t != l.box.inbox || l.box.ended(t): // since it was asked
	case r.Type == "entries":
		t.tries = 0
		l.box.exists(t, r.Newest)
		l.box.pulled(t, r.Entries)
		if l.short {
			l.box.told = r.Inbox.Heads
		}
	case r.Type == "messages":
		t.tries = 0
		l.box.pulled(t, r.Messages)
	case t.of != "" && (r.Code == wire.CodeForbidden || r.Code == wire.CodeNotFound):
		l.box.lose(t)
	default:
		t.after = now.Add(resend(time.Duration(r.RetryMS)*time.Millisecond, t.tries))
		t.tries++
	}
}

func (l *loop) headed(r *wire.Received, now time.Time) {
	l.heads = ""
	if r.Type == "heads" {
		l.headsTries = 0
		l.box.headed(r.Heads)
		return
	}
	l.box.stray = true
	l.headsAfter = now.Add(resend(time.Duration(r.RetryMS)*time.Millisecond, l.headsTries))
	l.headsTries++
}

// unlinked forgets what is under way on a link that is gone: it is asked again
// on the next.
func (l *loop) unlinked() {
	l.outbox.rewind()
	l.calls.rewind()
	l.box.unlinked()
	clear(l.pulls)
	l.heads, l.headsAfter, l.headsTries, l.ping = "", time.Time{}, 0, ""
}
