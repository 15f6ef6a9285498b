package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/merchantim/merchantim/internal/stream"
)

// group is a declared consumer group.
type group struct {
	name  string // as declared
	id    string // in Kafka
	topic *topic
	// handed is where what owners were handed ends, by partition; of partitions
	// in other processes, as these last told it with a commit.
	handed []atomic.Int64
	// held says which partitions are in this process's hands.
	held []atomic.Bool
}

// load learns what Kafka has of the declared topics and groups, and settles
// their eras.
func (l *Log) load(ctx context.Context) error {
	c := l.cluster
	if err := c.patient(ctx, c.verify); err != nil {
		return err
	}
	l.declare()
	settle := func(ctx context.Context) error { return l.settleEras(ctx, time.Now()) }
	if err := c.patient(ctx, settle); err != nil {
		return err
	}
	if err := c.patient(ctx, l.dropGroups); err != nil {
		return err
	}
	return c.patient(ctx, l.refresh)
}

func (l *Log) declare() {
	l.intake.lanes = map[stream.TopicID][]*lane{}
	for _, d := range l.opt.Topics {
		t := &topic{Topic: d, name: l.opt.Prefix + d.Name}
		for p := range d.Partitions {
			pt := &part{topic: t.name, id: d.ID, partition: p}
			t.parts = append(t.parts, pt)
			l.intake.lanes[d.ID] = append(l.intake.lanes[d.ID], &lane{part: pt})
		}
		l.topics[d.ID] = t
		l.sizes[d.ID] = d.Partitions
	}
	for _, d := range l.opt.Groups {
		t := l.topics[d.Topic]
		l.groups[d.Name] = &group{
			name: d.Name, id: l.opt.Prefix + d.Name, topic: t,
			handed: make([]atomic.Int64, t.Partitions), held: make([]atomic.Bool, t.Partitions),
		}
	}
}

// lossGrace is how long an end that is too low may be a leader's that has just
// been elected and does not know yet how far its records are replicated.
const lossGrace = 5 * time.Second

// settleEras makes sure that each topic's newest era is of the topic as it is.
func (l *Log) settleEras(ctx context.Context, begun time.Time) error {
	for {
		h, err := l.cluster.readHistory(ctx)
		if err != nil {
			return err
		}
		settled := true
		for _, t := range l.topics {
			ev, err := l.evidence(ctx, t)
			if err != nil {
				return err
			}
			t.uid = ev.id
			e, needed := h.next(t.name, ev)
			if !needed {
				t.era = h.timeline(t.name, t.uid)
				continue
			}
			settled = false
			if e.After > 0 && time.Since(begun) < lossGrace && l.sameTopic(h, t) {
				break // look again
			}
			l.log.Warn("a topic begins a new incarnation", "topic", t.name, "id", t.uid.String(), "incarnation", e.Number)
			if err := l.cluster.write(ctx, e); err != nil {
				return err
			}
		}
		if settled {
			return nil
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("kafka: eras: %w", kafkago.RequestTimedOut)
		}
	}
}

func (l *Log) sameTopic(h *history, t *topic) bool {
	return len(h.timeline(t.name, t.uid)) > 0
}

func (l *Log) evidence(ctx context.Context, t *topic) (ev evidence, err error) {
	ids, err := l.cluster.identify(ctx, []string{t.name})
	if err != nil {
		return ev, err
	}
	id, ok := ids[t.name]
	if !ok {
		return ev, fmt.Errorf("kafka: topic %s: %w", t.name, kafkago.UnknownTopicOrPartition)
	}
	ev.id = id
	ev.applied = l.opt.Floor[t.ID]
	ev.committed = map[int32]stream.Position{}
	for _, g := range l.groups {
		if g.topic != t {
			continue
		}
		all, err := l.cluster.commits(ctx, g)
		if err != nil {
			return ev, err
		}
		for p, c := range all {
			if at := c.position(); ev.committed[int32(p)].Before(at) {
				ev.committed[int32(p)] = at
			}
		}
	}
	// The ends come last: other processes go on meanwhile, and what they commit
	// after this look must not seem to be beyond it.
	if ev.ends, err = l.cluster.bounds(ctx, t.name, t.Partitions, kafkago.LastOffset); err != nil {
		return ev, err
	}
	return ev, nil
}

// dropGroups lets go of groups that are no longer declared, with their offsets;
// one that some process still consumes stays.
func (l *Log) dropGroups(ctx context.Context) error {
	res, err := l.cluster.ListGroups(ctx, &kafkago.ListGroupsRequest{})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return fmt.Errorf("kafka: groups: %w", err)
	}
	for _, found := range res.Groups {
		name, ours := strings.CutPrefix(found.GroupID, l.opt.Prefix)
		if !ours || !plainName(name) || l.groups[name] != nil {
			continue
		}
		res, err := l.cluster.DeleteGroups(ctx, &kafkago.DeleteGroupsRequest{GroupIDs: []string{found.GroupID}})
		if err == nil {
			err = res.Errors[found.GroupID]
		}
		switch {
		case err == nil:
			l.log.Info("a group that is not declared was dropped", "group", found.GroupID)
		case errors.Is(err, kafkago.NonEmptyGroup):
			l.log.Warn("a group that is not declared is in use", "group", found.GroupID)
		case errors.Is(err, kafkago.GroupIdNotFound):
		default:
			return fmt.Errorf("kafka: drop group %s: %w", found.GroupID, err)
		}
	}
	return nil
}
