package rest

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/pipeline"
)

// ours marks the numbers of requests in an Origin, so that they are never
// those of a connection of the long link.
const ours = 1 << 63

// Owns reports whether an answer to this number is for a request of HTTP.
func Owns(conn uint64) bool { return conn&ours != 0 }

// Links are the requests of this process that wait: for the answer to what they
// have put into the log (waiters), or for something new (pollers).
type Links struct {
	node       uint32
	maxWaiters int
	maxPollers int
	maxOfUser  int
	next       atomic.Uint64

	mu      sync.RWMutex
	waiters map[uint64]*waiter

	polling atomic.Int64 // pollers; while there is none, a push costs a look at this
	pollMu  sync.RWMutex
	pollers map[domain.UserID][]*poller
}

// waiter is one request that waits for its answer.
type waiter struct {
	id     uint64
	answer chan answer // holds one
}

// answer is the frame that the long link would have got, with an empty id.
type answer struct {
	frame   []byte
	refusal *domain.Error
}

// poller is one request that waits for something new.
type poller struct{ wake chan struct{} } // holds one

func newLinks(opt *Options) *Links {
	l := &Links{
		node: opt.Node, maxWaiters: opt.MaxRequests, maxPollers: opt.MaxPollers, maxOfUser: opt.MaxPollersOfUser,
		waiters: make(map[uint64]*waiter), pollers: make(map[domain.UserID][]*poller),
	}
	// A number is never given again, not even by the next process.
	l.next.Store(uint64(time.Now().UnixMilli()) << 20)
	return l
}

// wait makes a waiter; drop takes it away. False: too many wait.
func (l *Links) wait() (*waiter, bool) {
	w := &waiter{id: ours | l.next.Add(1), answer: make(chan answer, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiters) >= l.maxWaiters {
		return nil, false
	}
	l.waiters[w.id] = w
	return w, true
}

func (l *Links) drop(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiters, w.id)
}

// give hands an answer over; one that comes too late, or twice, is dropped.
func (w *waiter) give(a answer) {
	select {
	case w.answer <- a:
	default:
	}
}

// watch makes a poller of a user; leave takes it away. False: too many poll.
func (l *Links) watch(id domain.UserID) (*poller, bool) {
	l.pollMu.Lock()
	defer l.pollMu.Unlock()
	if l.polling.Load() >= int64(l.maxPollers) || len(l.pollers[id]) >= l.maxOfUser {
		return nil, false
	}
	p := &poller{wake: make(chan struct{}, 1)}
	l.pollers[id] = append(l.pollers[id], p)
	l.polling.Add(1)
	return p, true
}

func (l *Links) leave(id domain.UserID, p *poller) {
	l.pollMu.Lock()
	defer l.pollMu.Unlock()
	rest := slices.DeleteFunc(l.pollers[id], func(other *poller) bool { return other == p })
	if len(rest) == 0 {
		delete(l.pollers, id)
	} else {
		l.pollers[id] = rest
	}
	l.polling.Add(-1)
}

// Outbox returns a place for answers and pushes. It has no state of its own.
func (l *Links) Outbox() pipeline.Outbox { return outbox{l} }

type outbox struct{ *Links }

func (o outbox) give(to domain.Origin, a answer) {
	if to.Node != o.node {
		return
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	if w := o.waiters[to.Conn]; w != nil {
		w.give(a)
	}
}

// Sent answers a send.
func (o outbox) Sent(to domain.Origin, conversation domain.ConversationID, e *chat.Entry) {
	o.give(to, answer{frame: wire.AppendSent(nil, nil, &wire.Sent{
		Conversation: conversation, Key: e.Key, ID: e.ID, Index: e.Index, N: e.N, At: e.At,
	})})
}

// Opened answers an open and a create.
func (o outbox) Opened(to domain.Origin, conversation domain.ConversationID) {
	o.give(to, answer{frame: wire.AppendOpened(nil, nil, conversation)})
}

// Changed answers a change of members.
func (o outbox) Changed(to domain.Origin, conversation domain.ConversationID, index uint64) {
	o.give(to, answer{frame: wire.AppendChanged(nil, nil, conversation, index)})
}

// Done answers a read.
func (o outbox) Done(to domain.Origin) { o.give(to, answer{}) }

// Refused answers what a stage did not take.
func (o outbox) Refused(to domain.Origin, why *domain.Error) { o.give(to, answer{refusal: why}) }

// Polled reports whether anybody polls here: one atomic load, so that pushes cost
// no more while nobody does.
func (l *Links) Polled() bool { return l.polling.Load() > 0 }

// Online reports whether a user polls here.
func (o outbox) Online(id domain.UserID) bool {
	if !o.Polled() {
		return false
	}
	o.pollMu.RLock()
	defer o.pollMu.RUnlock()
	return len(o.pollers[id]) > 0
}

// Push wakes the pollers of a user, who then read what is new.
func (o outbox) Push(id domain.UserID, _ user.Item, _ domain.Origin, _ *chat.Message) {
	if !o.Polled() {
		return
	}
	o.pollMu.RLock()
	defer o.pollMu.RUnlock()
	for _, p := range o.pollers[id] {
		select {
		case p.wake <- struct{}{}:
		default: // it is awake
		}
	}
}

// Flush has nothing to do: answers and wake-ups are handed over at once.
// Room: what waits is bounded for each poller.
func (outbox) Room(context.Context) error { return nil }

func (outbox) Flush() {}
