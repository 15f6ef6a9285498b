package client

import (
	"slices"
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Receipt is the server's answer to a send: the message is stored for ever.
type Receipt struct {
	Conversation string
	Key          string
	Message      string // its id
	Index        uint64 // its place in the conversation
	N            uint64 // countable messages up to it
	At           time.Time
}

// Sending is a text on its way.
type Sending struct {
	conversation, key, text string
	after                   string // key of the text before it, "" if that one was answered before this was handed over
	id                      string // of the request under way, "" if it waits

	done    chan struct{} // closed when receipt or err is set
	receipt Receipt
	err     error
}

// outbox holds the texts not yet answered, in a lane for each conversation.
// It belongs to the loop.
type outbox struct {
	lanes    []*lane
	turn     int              // the lane to look at first, so that each gets its turn
	byID     map[string]*lane // where a request under way belongs
	count    int
	inflight int
}

// lane is the texts of one conversation in order. items[:next] are under way,
// the others wait: so a text is never sent before the one ahead of it.
type lane struct {
	conversation string
	items        []*Sending
	next         int
	notBefore    time.Time // nothing is sent before, after a refusal
	tries        int       // refusals in a row
}

func newOutbox() *outbox { return &outbox{byID: make(map[string]*lane)} }

func (o *outbox) add(s *Sending) {
	i := slices.IndexFunc(o.lanes, func(l *lane) bool { return l.conversation == s.conversation })
	if i < 0 {
		i = len(o.lanes)
		o.lanes = append(o.lanes, &lane{conversation: s.conversation})
	}
	l := o.lanes[i]
	if n := len(l.items); n > 0 {
		s.after = l.items[n-1].key
	}
	l.items = append(l.items, s)
	o.count++
}

// take returns the next text to send and puts it under way as request id; nil
// if none may be sent now, or window texts are under way already, each at most
// of one conversation.
func (o *outbox) take(now time.Time, window, each int, id string) *Sending {
	if o.inflight >= window {
		return nil
	}
	for n := range o.lanes {
		i := (o.turn + n) % len(o.lanes)
		l := o.lanes[i]
		if l.next == len(l.items) || l.next >= each || now.Before(l.notBefore) {
			continue
		}
		s := l.items[l.next]
		l.next++
		s.id = id
		o.byID[id] = l
		o.inflight++
		o.turn = i + 1
		return s
	}
	return nil
}

// wake returns when a lane that was refused may send again; false if none waits.
func (o *outbox) wake(now time.Time) (at time.Time, ok bool) {
	for _, l := range o.lanes {
		if l.next < len(l.items) && now.Before(l.notBefore) && (!ok || l.notBefore.Before(at)) {
			at, ok = l.notBefore, true
		}
	}
	return at, ok
}

// accepted ends the text of request id. An answer to a request that is under
// way no more (it was refused since, or belongs to an older link) is ignored:
// the same text is under way again and gets the same answer.
func (o *outbox) accepted(id string, r Receipt) (text string, ok bool) {
	l, i := o.find(id)
	if l == nil {
		return "", false
	}
	l.tries = 0
	text = l.items[i].text
	o.finish(l, i, r, nil)
	return text, true
}

// refused puts the text of request id, and all behind it, back in line, or
// ends it if the refusal is final.
func (o *outbox) refused(id string, now time.Time, e *wire.Received) {
	l, i := o.find(id)
	if l == nil {
		return
	}
	s := l.items[i]
	o.goBack(l, i)
	switch {
	case e.Code == wire.CodePredecessorMissing && i == 0 && s.after != "":
		// The one before it was answered for, so the server lost it since (an
		// older backup, perhaps). There is nothing left to wait for.
		s.after = ""
	case e.Code == wire.CodePredecessorMissing || e.Retry:
		l.notBefore = now.Add(resend(time.Duration(e.RetryMS)*time.Millisecond, l.tries))
		l.tries++
	default:
		if i+1 < len(l.items) {
			l.items[i+1].after = s.after
		}
		o.finish(l, i, Receipt{}, &Refused{Code: e.Code, Message: e.Message})
	}
}

// rewind puts everything back in line: the link is lost.
func (o *outbox) rewind() {
	for _, l := range o.lanes {
		o.goBack(l, 0)
		l.notBefore, l.tries = time.Time{}, 0
	}
}

// drop ends every text that is under way, without repeating it.
func (o *outbox) drop(err error) {
	for _, l := range slices.Clone(o.lanes) {
		for l.next > 0 {
			o.finish(l, 0, Receipt{}, err)
		}
		if len(l.items) > 0 {
			l.items[0].after = "" // whether that one was stored nobody knows
		}
	}
}

// end ends every text: the client is closed.
func (o *outbox) end(err error) {
	for _, l := range slices.Clone(o.lanes) {
		for len(l.items) > 0 {
			o.finish(l, 0, Receipt{}, err)
		}
	}
}

func (o *outbox) find(id string) (*lane, int) {
	l := o.byID[id]
	if l == nil {
		return nil, 0
	}
	return l, slices.IndexFunc(l.items[:l.next], func(s *Sending) bool { return s.id == id })
}

func (o *outbox) goBack(l *lane, to int) {
	for _, s := range l.items[to:l.next] {
		o.forget(s)
	}
	l.next = to
}

func (o *outbox) forget(s *Sending) {
	if s.id != "" {
		delete(o.byID, s.id)
		s.id = ""
		o.inflight--
	}
}

func (o *outbox) finish(l *lane, i int, r Receipt, err error) {
	s := l.items[i]
	o.forget(s)
	l.items = slices.Delete(l.items, i, i+1)
	if i < l.next {
		l.next--
	}
	if o.count--; len(l.items) == 0 {
		o.lanes = slices.DeleteFunc(o.lanes, func(x *lane) bool { return x == l })
	}
	s.receipt, s.err = r, err
	close(s.done)
}
