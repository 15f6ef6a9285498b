package redisconn

import (
	"context"
	"math/rand/v2"
	"time"
)

// Tries bounds how long something is tried.
type Tries struct {
	For    time.Duration // from the first try to the last
	passed time.Duration
	n      int
}

// Next waits before another try, longer each time, with jitter. It reports
// false once the time is over or the context ends.
func (t *Tries) Next(ctx context.Context) bool {
	wait := min(10*time.Millisecond<<min(t.n, 10), 500*time.Millisecond)
	wait = wait/2 + rand.N(wait/2)
	t.n++
	if t.passed += wait; t.passed > t.For {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
