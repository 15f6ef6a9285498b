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

type dialed struct {
	link *link
	err  error
}

func (l *loop) dial(ctx context.Context) {
	answer, id := make(chan dialed, 1), l.nextID()
	l.dialed = answer
	go func() { // ends with ctx or the time limit at the latest; end waits for it
		link, err := dial(ctx, &l.o, id)
		answer <- dialed{link, err}
	}()
}

func (l *loop) connected(d dialed) {
	l.dialed = nil
	if d.err != nil {
		l.retry(d.err)
		return
	}
	l.link = d.link
	w := d.link.welcome
	l.user, l.pull, l.ping, l.pullAfter, l.pullTries = w.User, "", "", time.Time{}, 0
	l.beat = time.Now().Add(l.interval())
	l.inbox.greeted(w.Epoch, w.Inbox.Index, l.o.FromNow)
	if len(l.inbox.line) == 0 {
		l.taken = l.inbox.at
		l.save()
	}
	select {
	case <-l.c.ready:
	default:
		close(l.c.ready)
	}
	l.o.OnState(State{Up: true, User: l.user})
}

// heartbeat sends a ping, or gives up a link on which nothing came since the
// last. A pong may be late behind much else.
func (l *loop) heartbeat(now time.Time) bool {
	if l.ping != "" && !l.heard {
		l.lost(errors.New("client: the server is silent"))
		return false
	}
	l.ping, l.heard = l.nextID(), false
	l.link.send(wire.AppendPing(nil, l.ping))
	l.beat = now.Add(l.interval())
	return true
}

// interval leaves a quarter for the way: the server wants one ping every
// heartbeat_ms.
func (l *loop) interval() time.Duration {
	ms := min(max(l.link.welcome.HeartbeatMS, 20), 3_600_000)
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
	l.outbox.rewind()
	l.calls.rewind()
	l.retry(err)
}

func (l *loop) retry(err error) {
	wait := l.o.BackOff.wait(l.tries)
	if websocket.CloseStatus(err) == wire.CloseGoingAway {
		wait = rand.N(l.o.AwayWait + 1)
	}
	l.tries++
	l.redial = time.Now().Add(wait)
	l.o.OnState(State{Err: err, Retry: wait})
}
