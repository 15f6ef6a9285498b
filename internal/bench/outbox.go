package bench

// entryState is where a message of an outbox stands.
type entryState uint8

const (
	queued   entryState = iota // not written, or refused and to be written again
	written                    // waiting for its answer
	accepted                   // answered with sent
)

type entry struct {
	at    int64 // when it was meant to be sent, µs
	index int64 // as accepted
	state entryState
}

// outbox holds a conversation's messages from the oldest that is not accepted
// to the newest that was offered, and decides which is written next. After a
// refusal it waits until every message on the way is answered, then begins
// again at the oldest that was not accepted: so order survives refusals. It
// has no lock of its own.
type outbox struct {
	ring       []entry // of a size that is a power of two; seq & (len-1) is its place
	base       uint32  // oldest message not accepted
	unsent     uint32  // next message to write
	next       uint32  // number of the next message offered
	baseAt     int64   // at of the message before base
	baseIndex  int64   // index of the message before base
	unanswered int     // written and not answered
	refused    bool    // writing is stopped until retry
	retryAt    int64   // the earliest time for retry, ns
	waiting    bool    // on its link's list of conversations with messages to write
	resting    bool    // on the keeper's list of conversations to retry
}

func (o *outbox) entry(seq uint32) *entry { return &o.ring[int(seq)&(len(o.ring)-1)] }

// offer takes a new message.
func (o *outbox) offer(at int64) {
	if int(o.next-o.base) == len(o.ring) {
		o.grow()
	}
	*o.entry(o.next) = entry{at: at}
	o.next++
}

func (o *outbox) grow() {
	bigger := make([]entry, max(4, 2*len(o.ring)))
	for seq := o.base; seq != o.next; seq++ {
		bigger[int(seq)&(len(bigger)-1)] = *o.entry(seq)
	}
	o.ring = bigger
}

// write hands out the next message to write; ok is false if there is none now.
func (o *outbox) write() (seq uint32, ok bool) {
	for !o.refused && o.unsent != o.next {
		seq = o.unsent
		o.unsent++
		if e := o.entry(seq); e.state == queued {
			e.state = written
			o.unanswered++
			return seq, true
		}
	}
	return 0, false
}

// at returns when a message that is not accepted, or the newest accepted one,
// was meant to be sent.
func (o *outbox) at(seq uint32) int64 {
	if seq == o.base-1 {
		return o.baseAt
	}
	return o.entry(seq).at
}

// waitsFor reports whether a message is on its way.
func (o *outbox) waitsFor(seq uint32) bool {
	return seq-o.base < o.next-o.base && o.entry(seq).state == written
}

// accept notes a message's sent, which waitsFor must be true of. It reports
// false if the indices do not rise in the order of the messages.
func (o *outbox) accept(seq uint32, index int64) bool {
	e := o.entry(seq)
	e.state, e.index = accepted, index
	o.unanswered--
	rising := true
	for o.base != o.next {
		e := o.entry(o.base)
		if e.state != accepted {
			break
		}
		rising = rising && e.index > o.baseIndex
		o.baseAt, o.baseIndex = e.at, e.index
		o.base++
	}
	if o.unsent-o.base > o.next-o.base {
		o.unsent = o.base
	}
	return rising
}

// refuse notes a message's error, which waitsFor must be true of.
func (o *outbox) refuse(seq uint32, retryAt int64) {
	o.entry(seq).state = queued
	o.unanswered--
	o.refused = true
	o.retryAt = max(o.retryAt, retryAt)
}

// quiet reports whether a refused outbox has all its answers and can be retried.
func (o *outbox) quiet() bool { return o.refused && o.unanswered == 0 }

// retry begins again at the oldest message not accepted.
func (o *outbox) retry() {
	o.refused = false
	o.retryAt = 0
	o.unsent = o.base
}
