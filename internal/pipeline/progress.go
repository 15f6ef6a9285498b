package pipeline

import (
	"errors"
	"sync"
	"sync/atomic"
)

// progress tracks how far an owner has come: past records whose effects are
// kept and whose own appends are durable. Batches end in order; appends become
// durable in order too, since one log takes them.
type progress struct {
	next     atomic.Int64
	mu       sync.Mutex
	inflight int
	reached  int64       // end of the newest batch
	lose     func(error) // told once that appends were lost
	lost     bool
}

// errLost: the log took an owner's appends and could not keep them after all.
// Those of later records must not pass them, since an inbox skips what is not
// above the newest that it took; so the owner goes back to what was committed.
var errLost = errors.New("pipeline: appends were lost")

// hand calls fn, which appends, unless earlier appends were lost. The log tells
// of a loss before it takes anything again, and is kept waiting until fn has
// returned: so nothing is ever appended behind what was lost.
func (p *progress) hand(fn func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost {
		return errLost
	}
	return fn()
}

// batch notes that all records below next were taken. With appends it returns
// the function to call when they are durable; until then next does not move.
func (p *progress) batch(next int64, appends bool) func(error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reached = next
	if !appends {
		if p.inflight == 0 {
			p.next.Store(next)
		}
		return nil
	}
	p.inflight++
	return func(err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.inflight--
		if err != nil {
			p.inflight++ // never durable: next stays where it is for good
			if p.lost = true; p.lose != nil {
				p.lose(errLost)
			}
			return
		}
		p.next.Store(max(p.next.Load(), next))
		if p.inflight == 0 {
			p.next.Store(p.reached)
		}
	}
}
