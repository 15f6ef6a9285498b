package kafka

import (
	"context"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/merchantim/merchantim/internal/stream"
)

// watch looks at the topics until the log is closed.
func (l *Log) watch() {
	trimmed := time.Now()
	for l.wait() {
		if err := l.stillTheSame(l.closing); err != nil && l.closing.Err() == nil {
			if final(err) {
				l.fail(err)
				return
			}
			l.log.Warn("topics cannot be looked at", "err", err)
			continue
		}
		if err := l.refresh(l.closing); err != nil && l.closing.Err() == nil {
			l.log.Warn("lag cannot be looked at", "err", err)
		}
		if time.Since(trimmed) >= trimEvery {
			trimmed = time.Now()
			l.trimAll(l.closing)
		}
	}
}

// wait is until the next look; false: there is none.
func (l *Log) wait() bool {
	t := time.NewTimer(l.opt.WatchInterval)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.look:
	case <-l.closing.Done():
	}
	return l.closing.Err() == nil
}

// lookNow asks the watcher to look at once.
func (l *Log) lookNow() {
	select {
	case l.look <- struct{}{}:
	default:
	}
}

// stillTheSame reports with stream.ErrCorrupt that a topic is not the one that
// was opened, or that another process has found it to have lost records. Then
// positions given here would mean something else elsewhere.
func (l *Log) stillTheSame(ctx context.Context) error {
	names := make([]string, 0, len(l.topics))
	for _, t := range l.topics {
		names = append(names, t.name)
	}
	ids, err := l.cluster.identify(ctx, names)
	if err != nil {
		return err
	}
	h, err := l.cluster.readHistory(ctx)
	if err != nil {
		return err
	}
	for _, t := range l.topics {
		id, ok := ids[t.name]
		if !ok {
			return fmt.Errorf("kafka: topic %s: %w", t.name, kafkago.UnknownTopicOrPartition)
		}
		if id != t.uid {
			return fmt.Errorf("%w: topic %s was %s and is now %s: it was made again", stream.ErrCorrupt, t.name, t.uid, id)
		}
		if now := h.timeline(t.name, id); len(now) > 0 && now.newest() != t.era.newest() {
			return fmt.Errorf("%w: topic %s is in incarnation %d, opened in %d", stream.ErrCorrupt, t.name, now.newest(), t.era.newest())
		}
	}
	return nil
}

// refresh learns how far the partitions reach, and the groups in other
// processes have come.
func (l *Log) refresh(ctx context.Context) error {
	for _, t := range l.topics {
		last, err := l.cluster.bounds(ctx, t.name, t.Partitions, kafkago.LastOffset)
		if err != nil {
			return err
		}
		for p, end := range last {
			t.parts[p].raise(end)
		}
	}
	for _, g := range l.groups {
		all, err := l.cluster.commits(ctx, g)
		if err != nil {
			return err
		}
		for p, c := range all {
			if !g.held[p].Load() && c.incarnation == g.topic.era.newest() {
				g.handed[p].Store(max(c.handed, c.offset))
			}
		}
	}
	return nil
}

// lag is, by group, how far the slowest of its partitions is behind.
func (l *Log) lag() map[string]int64 {
	lag := make(map[string]int64, len(l.groups))
	for _, g := range l.groups {
		most := int64(0)
		for p := range g.handed {
			most = max(most, g.topic.parts[p].end.Load()-g.handed[p].Load())
		}
		lag[g.name] = most
	}
	return lag
}

// trimEvery is how often records that everyone has committed are let go.
const trimEvery = time.Minute

// trimAll lets go of the records that every declared group has committed, in
// the partitions that one of its groups holds here. Commits trail, so a rewind
// finds its records.
func (l *Log) trimAll(ctx context.Context) {
	for _, t := range l.topics {
		low, held, err := l.needed(ctx, t)
		if err != nil {
			l.log.Warn("old records cannot be looked at", "topic", t.name, "err", err)
			continue
		}
		for p, offset := range low {
			if !held[p] || offset <= 0 {
				continue
			}
			if err := l.cluster.trim(ctx, t.name, int32(p), offset); err != nil {
				l.log.Warn("old records stay", "topic", t.name, "partition", p, "err", err)
			}
		}
	}
}

// needed is the lowest offset that a group still needs, by partition; 0 where
// there is no group, or one that has never committed.
func (l *Log) needed(ctx context.Context, t *topic) (low []int64, held []bool, err error) {
	low, held = make([]int64, t.Partitions), make([]bool, t.Partitions)
	first := true
	for _, g := range l.groups {
		if g.topic != t {
			continue
		}
		all, err := l.cluster.commits(ctx, g)
		if err != nil {
			return nil, nil, err
		}
		for p, c := range all {
			held[p] = held[p] || g.held[p].Load()
			offset := int64(0)
			if at, ok := t.era.carry(int32(p), c.incarnation, c.offset); c.offset >= 0 && ok {
				offset = at
			}
			if first || offset < low[p] {
				low[p] = offset
			}
		}
		first = false
	}
	return low, held, nil
}
