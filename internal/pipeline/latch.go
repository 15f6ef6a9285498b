package pipeline

import (
	"context"
	"sync"
)

// latch opens once all of a number of partitions have passed.
type latch struct {
	mu   sync.Mutex
	left map[int32]struct{}
	open chan struct{}
}

func newLatch(partitions int32) *latch {
	l := &latch{left: make(map[int32]struct{}), open: make(chan struct{})}
	for id := range partitions {
		l.left[id] = struct{}{}
	}
	return l
}

// pass notes a partition; a second time does nothing.
func (l *latch) pass(partition int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, waits := l.left[partition]; !waits {
		return
	}
	delete(l.left, partition)
	if len(l.left) == 0 {
		close(l.open)
	}
}

// wait returns true when the latch is open, false when ctx ended before.
func (l *latch) wait(ctx context.Context) bool {
	select {
	case <-l.open:
		return true
	case <-ctx.Done():
		return false
	}
}
