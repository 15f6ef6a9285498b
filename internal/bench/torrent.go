package bench

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// torrent is a load of users who do not wait and do not repeat: what is due is
// sent whatever is unanswered, and what is refused is given up. No message
// names its predecessor. What is kept is counted by the second of its sending.
type torrent struct {
	load  *load
	rate  atomic.Uint64 // sends a second, the bits of a float64
	burst atomic.Int64  // messages a send, in one WebSocket message
	shed  atomic.Int64  // refused

	mu      sync.RWMutex
	seconds []*second // by second since the load began
}

// second is what became of the messages of one second.
type second struct {
	offered, refused atomic.Int64
	ack, delivery    histogram
}

// fate is what became of one message.
type fate uint8

const (
	fateAccepted fate = 1 << iota
	fateRefused
	fateDelivered
)

// thrown are the messages of a conversation in a torrent, by number.
type thrown struct{ fates []fate }

func newTorrent(l *load, rate float64) *torrent {
	tr := &torrent{load: l}
	tr.set(rate, 1)
	l.torrent = tr
	return tr
}

// set changes how much is sent from now on.
func (tr *torrent) set(sends float64, burst int) {
	tr.rate.Store(math.Float64bits(sends))
	tr.burst.Store(int64(burst))
}

// second returns that of a time in µs.
func (tr *torrent) second(at int64) *second {
	i := int(at / 1e6)
	tr.mu.RLock()
	if i < len(tr.seconds) {
		defer tr.mu.RUnlock()
		return tr.seconds[i]
	}
	tr.mu.RUnlock()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for len(tr.seconds) <= i {
		tr.seconds = append(tr.seconds, new(second))
	}
	return tr.seconds[i]
}

// slip is how far the generator may be behind; what was due before is not sent
// any more, and so was not offered.
const slip = 20 * time.Millisecond

// pace sends until the load stops or fails.
func (tr *torrent) pace() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := tr.load
	due := float64(l.now())
	for i := 0; !l.stopping.Load() && l.ctx.Err() == nil; {
		rate := math.Float64frombits(tr.rate.Load())
		now := float64(l.now())
		due = max(due, now-float64(slip))
		for ; due <= now; i++ {
			tr.throw(l.convs[i%len(l.convs)], int(tr.burst.Load()))
			due += 1e9 / rate
		}
		if unanswered := l.offered.Load() - l.accepted.Load() - tr.shed.Load(); float64(unanswered) > behindSeconds*rate*float64(tr.burst.Load()) {
			l.fail(&Failure{Code: ExitProduct, Err: &behindError{unanswered, rate}})
			return
		}
		sleepKernel(max(time.Duration(due-now), paceTick))
	}
}

// throw sends the next n messages of a conversation. Their time is that of the
// write, as long as it may then wait for a server that does not read.
func (tr *torrent) throw(c *conversation, n int) {
	k := c.from
	k.mu.Lock()
	defer k.mu.Unlock()
	at := tr.load.now() / 1000
	k.buf = k.buf[:0]
	for i := range n {
		if i > 0 {
			k.buf = append(k.buf, '\n')
		}
		seq := uint32(len(c.thrown.fates))
		c.thrown.fates = append(c.thrown.fates, 0)
		k.buf = appendSend(k.buf, c.id, messageKey{conv: c.number, seq: seq, at: at}, nil, tr.load.texts.of(c.number, seq))
	}
	tr.load.offered.Add(int64(n))
	tr.second(at).offered.Add(int64(n))
	k.write()
}

// settleFate notes an answer; false if there was one, or nothing was sent.
func (tr *torrent) settleFate(k *link, c *conversation, key messageKey, to fate) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := int(key.seq) < len(c.thrown.fates)
	if !known || c.thrown.fates[key.seq]&(fateAccepted|fateRefused) != 0 {
		tr.load.fault(faultAnswer, "a second answer to message %d of conversation %d, or to none", key.seq, key.conv)
		return false
	}
	c.thrown.fates[key.seq] |= to
	return true
}

func (tr *torrent) sent(k *link, c *conversation, key messageKey, now int64) {
	if tr.settleFate(k, c, key, fateAccepted) {
		tr.second(key.at).ack.record(now - key.at*1000)
		tr.load.accepted.Add(1)
	}
}

func (tr *torrent) refused(k *link, c *conversation, key messageKey) {
	if tr.settleFate(k, c, key, fateRefused) {
		tr.second(key.at).refused.Add(1)
		tr.shed.Add(1)
	}
}

// delivered notes a delivery; nothing without a torrent.
func (tr *torrent) delivered(c *conversation, key messageKey, now int64) {
	if tr == nil {
		return
	}
	c.from.mu.Lock()
	defer c.from.mu.Unlock()
	if int(key.seq) < len(c.thrown.fates) {
		c.thrown.fates[key.seq] |= fateDelivered
		tr.second(key.at).delivery.record(now - key.at*1000)
	}
}

// answered reports whether nothing is on the way any more.
func (tr *torrent) answered() bool {
	l := tr.load
	return l.offered.Load() == l.accepted.Load()+tr.shed.Load() && l.delivered.Load() >= l.accepted.Load()
}

// check returns a product failure if an accepted message was not delivered,
// and how many were stored although they were refused: a refusal leaves that open.
func (tr *torrent) check() (stored int64, err error) {
	lost := 0
	for _, c := range tr.load.convs {
		c.from.mu.Lock()
		for _, f := range c.thrown.fates {
			switch f {
			case fateAccepted:
				lost++
			case fateRefused | fateDelivered:
				stored++
			}
		}
		c.from.mu.Unlock()
	}
	if lost > 0 {
		return stored, product("%d messages were accepted and not delivered", lost)
	}
	return stored, nil
}

// span sums up the whole seconds between two times (µs).
func (tr *torrent) span(from, to int64) *second {
	tr.mu.RLock()
	defer tr.mu.RUnlock()
	sum := new(second)
	first, last := int((from+999_999)/1e6), int(to/1e6)
	for _, s := range slices.Clone(tr.seconds[min(first, len(tr.seconds)):max(first, min(last, len(tr.seconds)))]) {
		sum.offered.Add(s.offered.Load())
		sum.refused.Add(s.refused.Load())
		sum.ack.add(&s.ack)
		sum.delivery.add(&s.delivery)
	}
	return sum
}
