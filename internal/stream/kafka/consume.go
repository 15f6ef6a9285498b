package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/merchantim/merchantim/internal/stream"
)

// consumers are the running calls of Consume.
type consumers struct {
	mu      sync.Mutex
	stopped error // why there are no more
	running map[string]*consumer
	all     sync.WaitGroup
}

// consumer is one call of Consume.
type consumer struct {
	log    *Log
	group  *group
	own    func(context.Context, stream.Partition) error
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu     sync.Mutex
	behind time.Time               // since when the log ends before what was committed
	finish map[int32]bool          // partitions whose owners have returned nil
	giveUp context.CancelCauseFunc // of the generation; nil: there is none
}

func (c *consumers) begin(ctx context.Context, one *consumer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped != nil {
		return c.stopped
	}
	if c.running[one.group.name] != nil {
		return fmt.Errorf("kafka: group %s is being consumed already", one.group.name)
	}
	one.ctx, one.cancel = context.WithCancelCause(ctx)
	if c.running == nil {
		c.running = map[string]*consumer{}
	}
	c.running[one.group.name] = one
	c.all.Add(1)
	return nil
}

func (c *consumers) end(one *consumer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one.cancel(nil)
	delete(c.running, one.group.name)
	c.all.Done()
}

// stop ends all calls of Consume with err, and lets no other begin.
func (c *consumers) stop(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped == nil {
		c.stopped = err
	}
	for _, one := range c.running {
		one.cancel(err)
	}
}

func (c *consumers) rewind() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.running {
		one.mu.Lock()
		if one.giveUp != nil {
			one.giveUp(errRewind)
		}
		one.mu.Unlock()
	}
}

func (c *consumers) wait() { c.all.Wait() }

// Consume implements stream.Log. One call at a time for a group in a process.
// It returns the cause for which ctx ended, stream.ErrClosed, the log's failure,
// or the first error of own. A partition whose own returns nil is read no
// further; when those of a whole generation have, Consume returns. With no
// partition at all it waits for one.
func (l *Log) Consume(ctx context.Context, name string, own func(context.Context, stream.Partition) error) error {
	g := l.groups[name]
	if g == nil {
		return fmt.Errorf("kafka: consume: group %s is not declared", name)
	}
	c := &consumer{log: l, group: g, own: own, finish: map[int32]bool{}}
	if err := l.consumers.begin(ctx, c); err != nil {
		return err
	}
	defer l.consumers.end(c)
	cg, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{
		ID: g.id, Brokers: l.opt.Brokers, Dialer: l.cluster.dialer, Topics: []string{g.topic.name},
		HeartbeatInterval: l.opt.HeartbeatInterval, SessionTimeout: l.opt.SessionTimeout,
		RebalanceTimeout: l.opt.RebalanceTimeout, JoinGroupBackoff: 500 * time.Millisecond,
		Timeout: l.opt.RequestTimeout,
	})
	if err != nil {
		return fmt.Errorf("kafka: group %s: %w", g.id, err)
	}
	defer func() { _ = cg.Close() }() // leaves the group; it is always nil
	for {
		gen, err := cg.Next(c.ctx)
		if c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
		if err != nil {
			l.log.Warn("group has no generation", "group", g.id, "err", err)
			continue // the driver waits between attempts
		}
		if c.serve(gen) {
			return context.Cause(c.ctx)
		}
	}
}

// serve runs a generation to its end; true: there is nothing left to do.
func (c *consumer) serve(gen *kafkago.Generation) bool {
	c.log.figures.rebalances.Add(1)
	ended := make(chan bool, 1)
	// When this function returns, the driver goes on to the next generation: so
	// it returns only when all owners have, and their progress is committed.
	gen.Start(func(life context.Context) {
		over := false
		defer func() { ended <- over }()
		ctx, giveUp := context.WithCancelCause(c.ctx)
		defer giveUp(nil)
		defer context.AfterFunc(life, func() { giveUp(kafkago.ErrGenerationEnded) })()
		c.hold(giveUp)
		defer c.hold(nil)
		over = c.generation(ctx, gen)
	})
	return <-ended
}

func (c *consumer) hold(giveUp context.CancelCauseFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveUp = giveUp
}

// generation runs the owners of all assigned partitions until ctx ends or all
// have returned nil, which it reports; or one fails, which ends the consumer.
func (c *consumer) generation(ctx context.Context, gen *kafkago.Generation) (over bool) {
	l := c.log
	readers, err := c.readers(ctx, gen)
	c.judge(err)
	if err != nil {
		if ctx.Err() == nil {
			l.log.Warn("partitions cannot be taken over; trying again", "group", c.group.id, "err", err)
			sleep(ctx, 200*time.Millisecond)
		}
		return c.ctx.Err() != nil
	}
	l.log.Info("partitions taken over", "group", c.group.id, "generation", gen.ID, "partitions", len(readers))
	var owners sync.WaitGroup
	for _, r := range readers {
		owners.Go(func() {
			defer r.leave()
			err := c.own(ctx, r)
			switch {
			case ctx.Err() != nil:
			case err != nil:
				c.cancel(err)
			default:
				c.finished(r.id)
			}
		})
	}
	stop := l.committing(gen, c.group, readers)
	owners.Wait()
	stop()
	for _, r := range readers {
		c.group.held[r.id].Store(false)
	}
	if len(readers) == 0 && c.idle(gen) {
		<-ctx.Done() // another process has them all
	}
	return c.ctx.Err() != nil || ctx.Err() == nil
}

// committing commits now and then until stop is called, and then once more.
func (l *Log) committing(gen *kafkago.Generation, g *group, readers []*reader) (stop func()) {
	ctx, cancel := context.WithCancel(l.life)
	var done sync.WaitGroup
	done.Go(func() {
		for sleep(ctx, l.opt.CommitInterval) {
			l.commit(l.life, gen, g, readers)
		}
		l.commit(l.life, gen, g, readers)
	})
	return func() {
		cancel()
		done.Wait()
	}
}

// idle reports whether the generation brought nothing; else all that it brought
// had been finished before.
func (c *consumer) idle(gen *kafkago.Generation) bool {
	return len(gen.Assignments[c.group.topic.name]) == 0
}

func (c *consumer) finished(partition int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finish[partition] = true
}

// readers opens the partitions of a generation, but for those finished.
func (c *consumer) readers(ctx context.Context, gen *kafkago.Generation) ([]*reader, error) {
	l, g, t := c.log, c.group, c.group.topic
	c.mu.Lock()
	var ids []int32
	for _, a := range gen.Assignments[t.name] {
		if id := int32(a.ID); id >= 0 && id < t.Partitions && !c.finish[id] {
			ids = append(ids, id)
		}
	}
	c.mu.Unlock()
	if len(ids) == 0 {
		return nil, nil
	}
	commits, err := l.cluster.commits(ctx, g)
	if err != nil {
		return nil, err
	}
	first, err := l.cluster.bounds(ctx, t.name, t.Partitions, kafkago.FirstOffset)
	if err != nil {
		return nil, err
	}
	last, err := l.cluster.bounds(ctx, t.name, t.Partitions, kafkago.LastOffset)
	if err != nil {
		return nil, err
	}
	readers := make([]*reader, 0, len(ids))
	for _, p := range ids {
		start, err := l.startOf(g, p, commits[p], first[p], last[p])
		if err != nil {
			return nil, err
		}
		readers = append(readers, l.newReader(g, p, start, last[p], commits[p]))
	}
	return readers, nil
}

// startOf is the first record that an owner gets.
func (l *Log) startOf(g *group, p int32, c commit, first, last int64) (int64, error) {
	start := first
	if c.offset >= 0 {
		at, ok := g.topic.era.carry(p, c.incarnation, c.offset)
		switch {
		case !ok && c.incarnation > g.topic.era.newest():
			err := fmt.Errorf("%w: group %s committed in incarnation %d of partition %d, not known here",
				stream.ErrCorrupt, g.id, c.incarnation, p)
			l.fail(err) // a new start learns of it
			return 0, err
		case ok && at > last:
			err := fmt.Errorf("%w: group %s committed %d in partition %d of %s, which ends at %d",
				errBehind, g.id, at, p, g.topic.name, last)
			return 0, err
		case ok && at < first:
			l.log.Error("records are gone that the group has not committed",
				"group", g.id, "partition", p, "committed", at, "oldest", first)
		case ok:
			start = at
		}
	}
	return start, nil
}

// judge takes it for a loss if the log stays too short.
func (c *consumer) judge(err error) {
	switch {
	case !errors.Is(err, errBehind):
		c.behind = time.Time{}
	case c.behind.IsZero():
		c.behind = time.Now()
	case time.Since(c.behind) > lossGrace:
		c.log.fail(fmt.Errorf("%w: %w", stream.ErrCorrupt, err))
	}
}

// errBehind: a new leader may not know yet how far the partition reaches.
var errBehind = errors.New("kafka: the log ends before what was committed")
