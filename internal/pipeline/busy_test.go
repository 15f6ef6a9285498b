package pipeline

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
)

// A server that became busy stays so until it has caught up: what is behind is
// no longer in memory, and it would else never be again.
func TestABusyServerCatchesUpBeforeItTakesMore(t *testing.T) {
	const maxLag = 20_000
	var a Accept
	for i, s := range []struct {
		lag  int64
		full bool
		want bool
	}{
		{0, false, false}, {maxLag, false, false}, {maxLag + 1, false, true},
		{maxLag, false, true}, {maxLag/relief + 1, false, true}, {maxLag / relief, false, false},
		{maxLag, false, false}, {0, true, true}, {maxLag / 2, false, true}, {0, false, false},
	} {
		a.weigh(s.lag, maxLag, s.full)
		if got := a.busy.Load(); got != s.want {
			t.Fatalf("step %d, %d behind: busy is %v", i, s.lag, got)
		}
	}
}

// lagging is a log whose stages are behind by script.
type lagging struct {
	stream.Log
	lag atomic.Pointer[map[string]int64]
}

func (l *lagging) Stats() stream.Stats { return stream.Stats{Lag: *l.lag.Load()} }

// One figure tells how far the slowest stage is behind: that by which senders are
// asked to wait, and that by which shares are set.
func TestHowFarTheSlowestStageIsBehind(t *testing.T) {
	log := &lagging{}
	log.lag.Store(&map[string]int64{"single": 3, "mixed": 70, "list": 7})
	a := NewAccept(log)
	ctx, cancel := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() { a.Watch(ctx, 50, func() bool { return false }) })
	await := func(behind int64, busy bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); a.Behind() != behind || a.busy.Load() != busy; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d behind, busy: %v; want %d, %v", a.Behind(), a.busy.Load(), behind, busy)
			}
		}
	}
	await(70, true)
	log.lag.Store(&map[string]int64{"single": 3, "mixed": 1, "list": 2})
	await(3, false)
	log.lag.Store(&map[string]int64{})
	await(0, false)
	cancel()
	watch.Wait()
}
