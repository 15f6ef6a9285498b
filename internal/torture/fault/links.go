package fault

import (
	"context"
	"sync"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/ws"
	"github.com/merchantim/merchantim/internal/usecase"
)

// anyEpoch does not look at the numbering of a position.
type anyEpoch struct{ ws.Service }

func (a anyEpoch) Resume(ctx context.Context, me domain.UserID, at usecase.Position) (usecase.State, []usecase.Delivery, bool, *domain.Error) {
	if s, ok := a.Service.(*usecase.Service); ok {
		at.Epoch = s.Store.Epoch()
	}
	return a.Service.Resume(ctx, me, at)
}

// told is the newest state, as of a time.
type told struct {
	state usecase.State
	at    time.Time
}

// keptFor is how long a tardy service tells the same.
const keptFor = 3 * time.Second

// tardy reads each user's state now and then, and tells what it read last.
type tardy struct {
	ws.Service
	mu   sync.Mutex
	told map[domain.UserID]told
}

func (t *tardy) Newest(ctx context.Context, me domain.UserID) (usecase.State, *domain.Error) {
	t.mu.Lock()
	last, ok := t.told[me]
	t.mu.Unlock()
	if ok && time.Since(last.at) < keptFor {
		return last.state, nil
	}
	state, refusal := t.Service.Newest(ctx, me)
	if refusal == nil {
		t.mu.Lock()
		t.told[me] = told{state, time.Now()}
		t.mu.Unlock()
	}
	return state, refusal
}

// partial leaves out what was missed first, and does not look at heads.
type partial struct{ ws.Service }

func (p partial) Resume(ctx context.Context, me domain.UserID, at usecase.Position) (usecase.State, []usecase.Delivery, bool, *domain.Error) {
	now, refusal := p.Newest(ctx, me)
	if refusal == nil && at.Inbox <= now.Inbox {
		at.Heads = now.Heads
	}
	state, missed, whole, refusal := p.Service.Resume(ctx, me, at)
	if len(missed) > 1 {
		missed = missed[1:]
	}
	return state, missed, whole, refusal
}
