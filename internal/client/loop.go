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

	outbox *outbox
	calls  calls
	box    *mailbox
	lastID uint64
	keys   uint64

	link      link        // nil if there is none
	short     bool        // it is the short link
	dialed    chan dialed // the answer of the one dial under way, nil if there is none
	redial    time.Time   // when the next may begin
	shortNext bool        // it is of the short link
	tries     int         // failures in a row to have any link
	fails     int         // failures in a row to have the long link
	proven    bool        // the long link has answered something besides its welcome

	pulls      map[string]*track // requests for more of a track, by id
	heads      string            // id of the request for the heads under way
	headsAfter time.Time         // no such request before, after a refusal
	headsTries int
	ping       string    // id of the ping under way
	heard      bool      // something came since it went out
	beat       time.Time // when the next ping is due, or the one under way overdue

	pending   Batch // handed over and not yet in the store
	saveErr   error
	saveAfter time.Time // no save before, after a failure
	timer     *time.Timer
}

func newLoop(c *Client, o Options, at Position, name string) *loop {
	l := &loop{c: c, o: o, name: name, outbox: newOutbox(), calls: make(calls), pulls: make(map[string]*track)}
	l.box = newMailbox(&at, o.Queue)
	l.box.mine = func(from, key string) bool {
		return from == l.box.user && strings.HasPrefix(key, l.name+".")
	}
	l.box.stored = func(conversation string) uint64 {
		if l.pending.Anew { // what the store has is of another epoch
			return 0
		}
		return o.Store.Newest(conversation)
	}
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
				l.lost(l.link.failure())
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
	if len(l.box.line) > 0 && !l.stuck() {
		messages, next = l.c.messages, l.box.line[0].message
	}
	return asked, typed, messages, next
}

func (l *loop) received() <-chan []*wire.Received {
	if l.link == nil {
		return nil
	}
	return l.link.received()
}

// advance does what can be done now.
func (l *loop) advance(ctx context.Context, now time.Time) {
	for len(l.box.line) > 0 && !l.stuck() && (l.box.line[0].silent || l.box.line[0].again) {
		l.handedOver()
	}
	l.save(now)
	if l.dialed == nil && l.wantsLink() && !now.Before(l.redial) {
		l.dial(ctx)
	}
	if l.link == nil || !l.short && !now.Before(l.beat) && !l.heartbeat(now) {
		return
	}
	for q := l.calls.take(now); q != nil; q = l.calls.take(now) {
		q.id = l.nextID()
		l.link.send(q.id, &q.request)
	}
	l.sendTexts(now)
	l.pullMore(now)
}

// shortTexts is how many texts may be under way on the short link, one of each
// conversation: requests of HTTP overtake each other.
const shortTexts = 4

func (l *loop) sendTexts(now time.Time) {
	window, each := max(l.link.greeting().MaxInflight, 1), l.o.Outbox
	if l.short {
		window, each = min(window, shortTexts), 1
	}
	for {
		id := strconv.FormatUint(l.lastID+1, 10)
		s := l.outbox.take(now, window, each, id)
		if s == nil {
			return
		}
		l.lastID++
		l.link.send(id, &request{op: wire.Send, conversation: s.conversation, key: s.key, after: s.after, text: s.text})
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
	sooner(l.redial, l.dialed == nil && l.wantsLink())
	sooner(l.saveAfter, now.Before(l.saveAfter))
	if l.link != nil {
		sooner(l.beat, !l.short)
		sooner(l.outbox.wake(now))
		sooner(l.calls.wake(now))
		sooner(l.pullWake(now))
	}
	return max(at.Sub(now), 0)
}

func (l *loop) end() error {
	if l.dialed != nil {
		if d := <-l.dialed; d.err == nil {
			d.link.close(true)
		}
	}
	if l.link != nil {
		l.link.close(true)
	}
	l.outbox.end(ErrClosed)
	l.calls.drop(true, ErrClosed)
	l.saveNow(time.Now()) // a last try, however the one before went
	return l.saveErr
}
