package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/coder/websocket"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// The part of the loop that makes, keeps and gives up links.
//
// The long link is wanted always. When it has failed FallBack times in a row,
// or ended before it had answered anything, the short link is made; while
// that one works, the long link is tried again in the background, and takes
// over when it is up. Nothing is handed from one to the other: what was under
// way is asked again, under the same keys.

// link carries requests to the server, and brings answers and pushes.
type link interface {
	greeting() *wire.Received
	// received brings frames in the order in which they came; it is closed at
	// the end, and then failure says why.
	received() <-chan []*wire.Received
	failure() error
	// send does not block. What waits is bounded by what the loop has under way.
	send(id string, r *request)
	// close waits for the goroutines of the link; polite: with a goodbye.
	close(polite bool)
}

type dialed struct {
	link  link
	short bool
	err   error
}

// hello is what a new link tells the server first.
type hello struct {
	id    string
	epoch string // of the position, "" if there is none
	at    wire.Place
}

func (l *loop) wantsLink() bool { return l.link == nil || l.short }

func (l *loop) dial(ctx context.Context) {
	answer, short := make(chan dialed, 1), l.link == nil && l.shortNext
	h := hello{id: l.nextID(), epoch: l.box.epoch, at: wire.Place{Index: l.box.inbox.at, Heads: l.box.sum}}
	l.dialed, l.shortNext = answer, false
	go func() { // ends with ctx or the time limit at the latest; end waits for it
		d := dialed{short: short}
		if short {
			d.link, d.err = dialShort(ctx, &l.o, &h)
		} else {
			d.link, d.err = dialLong(ctx, &l.o, &h)
		}
		answer <- d
	}()
}

func (l *loop) connected(d dialed) {
	l.dialed = nil
	switch {
	case d.err == nil:
		l.adopt(d)
	case d.short:
		l.retry(d.err)
	default:
		l.failed()
		switch {
		case l.link != nil: // the short one goes on
			l.redial = time.Now().Add(l.o.BackOff.wait(l.fails))
		case l.shortNext:
			l.redial = time.Time{}
		default:
			l.retry(d.err)
		}
	}
}

// failed counts a failure of the long link.
func (l *loop) failed() {
	l.fails++
	l.shortNext = l.o.FallBack > 0 && l.fails >= l.o.FallBack
}

// adopt goes on with a new link.
func (l *loop) adopt(d dialed) {
	if l.link != nil {
		l.link.close(false)
		l.unlinked()
	}
	l.link, l.short, l.proven = d.link, d.short, false
	w := d.link.greeting()
	l.beat = time.Now().Add(l.interval())
	if d.short {
		l.redial = time.Now().Add(l.o.BackOff.wait(l.fails))
	}
	if l.box.greeted(w, l.o.FromNow) {
		l.pending = Batch{Anew: true, User: w.User, Epoch: w.Epoch, Index: l.box.inbox.at}
		l.saveNow(time.Now())
	}
	select {
	case <-l.c.ready:
	default:
		close(l.c.ready)
	}
	l.tell(State{Up: true})
}

// tell tells the user of a change.
func (l *loop) tell(s State) {
	if s.Up {
		s.User, s.Short = l.box.user, l.short
	}
	l.o.OnState(s)
}

// heartbeat sends a ping, or gives up a link on which nothing came since the
// last. A pong may be late behind much else.
func (l *loop) heartbeat(now time.Time) bool {
	if l.ping != "" && !l.heard {
		l.lost(errors.New("client: the server is silent"))
		return false
	}
	l.ping, l.heard = l.nextID(), false
	l.link.send(l.ping, &request{op: wire.Ping})
	l.beat = now.Add(l.interval())
	return true
}

// interval leaves a quarter for the way: the server wants one ping every
// heartbeat_ms.
func (l *loop) interval() time.Duration {
	ms := min(max(l.link.greeting().HeartbeatMS, 20), 3_600_000)
	return time.Duration(ms) * time.Millisecond * 3 / 4
}

// lost gives up the link. What was under way is sent again on the next one,
// unless the server closed because of it.
func (l *loop) lost(err error) {
	l.link.close(false)
	l.link = nil
	switch websocket.CloseStatus(err) {
	case wire.CloseTooBig, wire.CloseBadFrame:
		l.outbox.drop(ErrNotOfProtocol)
		l.calls.drop(false, ErrNotOfProtocol)
	}
	l.unlinked()
	switch {
	case l.short:
		l.shortNext = l.fails >= l.o.FallBack
	case !l.proven && websocket.CloseStatus(err) < 0: // ended at once, without a word of the server
		l.fails = max(l.fails, l.o.FallBack-1)
		l.failed()
	}
	l.short = false
	l.retry(err)
}

func (l *loop) retry(err error) {
	wait := l.o.BackOff.wait(l.tries)
	switch websocket.CloseStatus(err) {
	case wire.CloseGoingAway:
		wait = rand.N(l.o.AwayWait + 1)
	case wire.CloseReplaced, wire.CloseTooFast: // at once it would only happen again
		wait = l.o.BackOff.Max
	}
	l.tries++
	l.redial = time.Now().Add(wait)
	l.tell(State{Err: err, Retry: wait})
}
