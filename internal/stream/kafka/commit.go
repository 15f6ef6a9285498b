package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/merchantim/merchantim/internal/stream"
)

// commit is what Kafka keeps of a group's partition. With the offset goes the
// incarnation that it counts in, and how far owners have been handed records,
// which is what others know of this process's lag.
type commit struct {
	offset      int64 // -1: none
	incarnation uint32
	handed      int64
}

var noCommit = commit{offset: -1}

func (c commit) position() stream.Position {
	if c.offset < 0 {
		return stream.Position{}
	}
	return stream.Position{Incarnation: c.incarnation, Offset: c.offset}
}

func (c commit) metadata() string { return fmt.Sprintf("1 %d %d", c.incarnation, c.handed) }

// parseCommit takes a commit without our metadata for none: somebody moved the
// group by hand in a way that does not say which incarnation is meant.
func parseCommit(offset int64, metadata string) commit {
	c := commit{offset: offset}
	version := 0
	n, err := fmt.Sscanf(metadata, "%d %d %d", &version, &c.incarnation, &c.handed)
	if offset < 0 || err != nil || n != 3 || version != 1 {
		return noCommit
	}
	return c
}

// commits asks for a group's, by partition.
func (c *cluster) commits(ctx context.Context, g *group) ([]commit, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	all := make([]commit, g.topic.Partitions)
	want := make([]int, len(all))
	for p := range want {
		want[p], all[p] = p, noCommit
	}
	res, err := c.OffsetFetch(ctx, &kafkago.OffsetFetchRequest{GroupID: g.id, Topics: map[string][]int{g.topic.name: want}})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: commits of group %s: %w", g.id, err)
	}
	for _, p := range res.Topics[g.topic.name] {
		if p.Error != nil {
			return nil, fmt.Errorf("kafka: commits of group %s, partition %d: %w", g.id, p.Partition, p.Error)
		}
		if p.Partition >= 0 && p.Partition < len(all) {
			all[p.Partition] = parseCommit(p.CommittedOffset, p.Metadata)
		}
	}
	return all, nil
}

// trail is how far a partition's owner has come, remembered as long as the loss
// window: what goes to Kafka is where it was that long ago.
type trail struct {
	mu     sync.Mutex
	window time.Duration
	marks  []mark // rising in both
	newest int64
	due    int64 // everything below may be committed
}

type mark struct {
	begun, at time.Time // of its first and of its newest step
	next      int64
}

// steps is how many marks a loss window is cut into.
const steps = 64

func newTrail(start int64, window time.Duration) *trail {
	return &trail{window: window, newest: start, due: start}
}

// note says that everything below next has taken effect; lower than before it
// is ignored.
func (t *trail) note(now time.Time, next int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if next <= t.newest {
		return
	}
	t.newest = next
	if t.window == 0 {
		t.due = next
		return
	}
	if n := len(t.marks); n > 0 && now.Sub(t.marks[n-1].begun) < t.window/steps {
		t.marks[n-1].at, t.marks[n-1].next = now, next
		return
	}
	t.marks = append(t.marks, mark{begun: now, at: now, next: next})
}

// ripe is the offset that may be committed now.
func (t *trail) ripe(now time.Time) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for n < len(t.marks) && now.Sub(t.marks[n].at) >= t.window {
		t.due = t.marks[n].next
		n++
	}
	t.marks = t.marks[n:]
	return t.due
}

// commit tells Kafka how far the readers of a generation have come, if that has
// changed since.
func (l *Log) commit(ctx context.Context, gen *kafkago.Generation, g *group, readers []*reader) {
	var changed []kafkago.OffsetCommit
	told := make([]commit, len(readers))
	for i, r := range readers {
		c := r.progress()
		if told[i] = c; c != r.told {
			changed = append(changed, kafkago.OffsetCommit{Partition: int(r.id), Offset: c.offset, Metadata: c.metadata()})
		}
	}
	if len(changed) == 0 {
		return
	}
	if err := l.cluster.commit(ctx, gen, g, changed); err != nil {
		l.log.Warn("commit", "group", g.id, "generation", gen.ID, "err", err)
		return
	}
	for i, r := range readers {
		r.told = told[i]
	}
}

func (c *cluster) commit(ctx context.Context, gen *kafkago.Generation, g *group, all []kafkago.OffsetCommit) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	res, err := c.OffsetCommit(ctx, &kafkago.OffsetCommitRequest{
		GroupID: g.id, GenerationID: int(gen.ID), MemberID: gen.MemberID,
		Topics: map[string][]kafkago.OffsetCommit{g.topic.name: all},
	})
	if err != nil {
		return err
	}
	for _, p := range res.Topics[g.topic.name] {
		if p.Error != nil {
			return p.Error
		}
	}
	return nil
}
