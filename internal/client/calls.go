package client

import (
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// call is a request other than a send. Repeating one does no harm, so it is
// repeated until it is answered or its caller gives up.
type call struct {
	request

	id        string    // of the request under way, "" if it waits
	notBefore time.Time // it waits till then
	tries     int       // retryable refusals

	done   chan struct{} // closed when answer or err is set
	answer *wire.Received
	err    error
}

func (q *call) finish(answer *wire.Received, err error) {
	q.answer, q.err = answer, err
	close(q.done)
}

// calls are the requests under way. They belong to the loop.
type calls map[*call]struct{}

// take returns a call to send now, nil if there is none.
func (c calls) take(now time.Time) *call {
	for q := range c {
		if q.id == "" && !now.Before(q.notBefore) {
			return q
		}
	}
	return nil
}

// wake returns when a refused call may be sent again; false if none waits.
func (c calls) wake(now time.Time) (at time.Time, ok bool) {
	for q := range c {
		if q.id == "" && now.Before(q.notBefore) && (!ok || q.notBefore.Before(at)) {
			at, ok = q.notBefore, true
		}
	}
	return at, ok
}

// answered ends the call of a request, or puts it back after a refusal that is
// not final. It returns the call if it succeeded.
func (c calls) answered(r *wire.Received, now time.Time) *call {
	for q := range c {
		switch {
		case q.id != r.ID:
			continue
		case r.Type != "error":
			delete(c, q)
			q.finish(r, nil)
			return q
		case r.Retry:
			q.id = ""
			q.notBefore = now.Add(resend(time.Duration(r.RetryMS)*time.Millisecond, q.tries))
			q.tries++
		default:
			delete(c, q)
			q.finish(nil, &Refused{Code: r.Code, Message: r.Message})
		}
		return nil
	}
	return nil
}

// rewind puts all back: the link is lost.
func (c calls) rewind() {
	for q := range c {
		q.id, q.notBefore, q.tries = "", time.Time{}, 0
	}
}

// drop ends those under way, or all.
func (c calls) drop(all bool, err error) {
	for q := range c {
		if all || q.id != "" {
			delete(c, q)
			q.finish(nil, err)
		}
	}
}
