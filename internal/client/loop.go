package client

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// loop owns all state of a client. Only run and what it calls touch it.
type loop struct {
	c    *Client
	o    Options
	name string // begins every key that this client makes
	user string

	outbox *outbox
	calls  calls
	inbox  inbox
	lastID uint64
	keys   uint64

	link   *link       // nil if there is none
	dialed chan dialed // the answer of the one dial under way, nil if there is none
	redial time.Time   // when neither
	tries  int

	pull      string    // id of the pull under way
	pullAfter time.Time // no pull before, after a refusal
	pullTries int
	ping      string    // id of the ping under way
	heard     bool      // something came since it went out
	beat      time.Time // when the next ping is due, or the one under way overdue

	kept    Position // last one saved
	taken   Position // last one handed over
	unsaved int
	saveErr error
	timer   *time.Timer
}

// saveEvery is how many messages are handed over at most before the position
// is kept; it also is whenever the line is empty.
const saveEvery = 64

func newLoop(c *Client, o Options, at Position, name string) *loop {
	l := &loop{c: c, o: o, name: name, outbox: newOutbox(), calls: make(calls), kept: at, taken: at}
	l.inbox = inbox{at: at, max: o.Queue, mine: func(from, key string) bool {
		return from == l.user && strings.HasPrefix(key, l.name+".")
	}}
	return l
}

// run is the client's life. Each turn first writes what may be written, then
// waits for one thing to happen.
func (l *loop) run(ctx context.Context) error {
	l.timer = time.NewTimer(0)
	defer l.timer.Stop()
	for {
		now := time.Now()
		l.advance(ctx, now)
		l.timer.Reset(l.due(now))
		asked, typed, messages, next := l.open()
		select {
		case <-ctx.Done():
			return l.end()
		case d := <-l.dialed:
			l.connected(d)
		case frames, ok := <-l.received():
			if !ok {
				l.lost(l.link.err)
			}
			for _, r := range frames {
				l.receive(r, time.Now())
			}
		case q := <-asked:
			l.calls[q] = struct{}{}
		case q := <-l.c.dropped:
			delete(l.calls, q)
		case s := <-typed:
			l.keys++
			s.key = l.name + "." + strconv.FormatUint(l.keys, 10)
			l.outbox.add(s)
		case messages <- next:
			l.handedOver()
		case <-l.timer.C:
		}
	}
}

// open returns the channels that have room or something to give, nil for the
// others.
func (l *loop) open() (asked chan *call, typed chan *Sending, messages chan Message, next Message) {
	if len(l.calls) < maxCalls {
		asked = l.c.asked
	}
	if l.outbox.count < l.o.Outbox {
		typed = l.c.typed
	}
	if len(l.inbox.line) > 0 {
		messages, next = l.c.messages, l.inbox.line[0].message
	}
	return asked, typed, messages, next
}

func (l *loop) received() chan []*wire.Received {
	if l.link == nil {
		return nil
	}
	return l.link.in
}

// advance does what can be done now.
func (l *loop) advance(ctx context.Context, now time.Time) {
	for len(l.inbox.line) > 0 && l.inbox.line[0].silent {
		l.handedOver()
	}
	if l.link == nil {
		if l.dialed == nil && !now.Before(l.redial) {
			l.dial(ctx)
		}
		return
	}
	if !now.Before(l.beat) && !l.heartbeat(now) {
		return
	}
	for q := l.calls.take(now); q != nil; q = l.calls.take(now) {
		q.id = l.nextID()
		l.link.send(q.frame(q.id))
	}
	for {
		id := strconv.FormatUint(l.lastID+1, 10)
		s := l.outbox.take(now, max(l.link.welcome.MaxInflight, 1), id)
		if s == nil {
			break
		}
		l.lastID++
		l.link.send(wire.AppendSend(nil, id, s.conversation, s.key, s.after, s.text))
	}
	if n := l.inbox.pull(); n > 0 && l.pull == "" && !now.Before(l.pullAfter) {
		l.pull = l.nextID()
		l.link.send(wire.AppendInbox(nil, l.pull, l.inbox.at.Index, n))
	}
}

func (l *loop) nextID() string {
	l.lastID++
	return strconv.FormatUint(l.lastID, 10)
}

// due returns how long to sleep if nothing happens.
func (l *loop) due(now time.Time) time.Duration {
	at := now.Add(time.Hour)
	sooner := func(t time.Time, ok bool) {
		if ok && t.Before(at) {
			at = t
		}
	}
	if l.link == nil {
		sooner(l.redial, l.dialed == nil)
	} else {
		sooner(l.beat, true)
		sooner(l.outbox.wake(now))
		sooner(l.calls.wake(now))
		sooner(l.pullAfter, now.Before(l.pullAfter))
	}
	return max(at.Sub(now), 0)
}

// receive takes one frame of the server.
func (l *loop) receive(r *wire.Received, now time.Time) {
	if l.link == nil {
		return // given up while its last frames were read
	}
	l.heard = true
	if r.ID != "" && r.Type != "error" {
		l.tries = 0 // not at the welcome: a server may greet and give up at once
	}
	switch {
	case r.Type == "msg" || r.Type == "own":
		l.inbox.pushed(r)
	case r.ID == "":
	case r.ID == l.pull:
		l.pulled(r, now)
	case r.ID == l.ping && r.Type == "pong":
		l.ping = ""
		l.inbox.exists(r.Inbox.Index)
	case r.Type == "sent":
		l.outbox.accepted(r.ID, Receipt{Conversation: r.Conversation, Key: r.Key, Message: r.Message,
			Index: r.Index, N: r.N, At: time.UnixMilli(r.At)})
	case r.Type == "error" && l.outbox.byID[r.ID] != nil:
		l.outbox.refused(r.ID, now, r)
	default:
		l.calls.answered(r, now)
	}
}

// pulled takes the answer to a pull. A refused one is tried again.
func (l *loop) pulled(r *wire.Received, now time.Time) {
	l.pull = ""
	if r.Type == "entries" {
		l.pullTries = 0
		l.inbox.pulled(r.Entries, r.Newest)
		return
	}
	l.pullAfter = now.Add(resend(time.Duration(r.RetryMS)*time.Millisecond, l.pullTries))
	l.pullTries++
}

// handedOver moves the position behind the first message in line.
func (l *loop) handedOver() {
	l.taken = l.inbox.line[0].message.Inbox
	l.inbox.line = l.inbox.line[1:]
	if l.unsaved++; l.unsaved >= saveEvery || len(l.inbox.line) == 0 {
		l.save()
	}
}

func (l *loop) save() {
	l.unsaved = 0
	if l.taken == l.kept {
		return
	}
	if l.saveErr = l.o.Positions.Save(l.taken); l.saveErr != nil {
		l.o.OnState(State{Up: l.link != nil, User: l.user, Err: l.saveErr})
		return
	}
	l.kept = l.taken
}

func (l *loop) end() error {
	if l.dialed != nil {
		if d := <-l.dialed; d.err == nil {
			l.link = d.link
		}
	}
	if l.link != nil {
		l.link.close(true)
	}
	l.outbox.end(ErrClosed)
	l.calls.drop(true, ErrClosed)
	l.save()
	return l.saveErr
}
