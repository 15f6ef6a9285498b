package journal

import (
	"context"
	"fmt"
	"sync"

	"github.com/merchantim/merchantim/internal/stream"
)

// consumers are the running calls of Consume.
type consumers struct {
	mu      sync.Mutex
	stopped error // why there are no more
	cancels map[string]context.CancelCauseFunc
	running sync.WaitGroup
}

func (c *consumers) begin(ctx context.Context, group string) (context.Context, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped != nil {
		return nil, c.stopped
	}
	if c.cancels[group] != nil {
		return nil, fmt.Errorf("journal: group %s is being consumed already", group)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	if c.cancels == nil {
		c.cancels = map[string]context.CancelCauseFunc{}
	}
	c.cancels[group] = cancel
	c.running.Add(1)
	return ctx, nil
}

func (c *consumers) end(group string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancels[group](nil)
	delete(c.cancels, group)
	c.running.Done()
}

// stop ends all calls of Consume with err, and lets no other begin.
func (c *consumers) stop(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped == nil {
		c.stopped = err
	}
	for _, cancel := range c.cancels {
		cancel(err)
	}
}

func (c *consumers) wait() { c.running.Wait() }

// Consume implements stream.Log. All partitions are assigned at once; a group
// can be consumed by one call at a time. It returns the cause for which ctx
// ended, stream.ErrClosed, the log's failure, or the first error of own. A
// partition whose own returns nil is read no further; when all have, so does
// Consume.
func (l *Log) Consume(ctx context.Context, group string, own func(context.Context, stream.Partition) error) error {
	g := l.offsets.find(group)
	if g == nil {
		return fmt.Errorf("journal: consume: group %s is not declared", group)
	}
	ctx, err := l.consumers.begin(ctx, group)
	if err != nil {
		return err
	}
	defer l.consumers.end(group)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var owners sync.WaitGroup
	for p := range g.committed {
		r := l.newReader(g, int32(p))
		owners.Go(func() {
			defer r.leave()
			if err := own(ctx, r); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	owners.Wait()
	return context.Cause(ctx)
}

// lag is, by group, how far the slowest of its readers is behind.
func (l *Log) lag() map[string]int64 {
	lag := make(map[string]int64, len(l.offsets.groups))
	for _, g := range l.offsets.groups {
		most := int64(0)
		for p := range g.handed {
			end := l.tail.parts[g.first+p].durableEnd()
			most = max(most, end-g.handed[p].Load())
		}
		lag[g.name] = most
	}
	return lag
}
