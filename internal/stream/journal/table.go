package journal

import (
	"errors"
	"fmt"
	"slices"

	"github.com/merchantim/merchantim/internal/stream"
)

// table numbers all partitions of all topics: a slot each. It has the topics
// that are declared and those found in the log that are declared no more, whose
// offsets must go on should they ever come back.
type table struct {
	topics [256]topicSlots
	ids    []stream.TopicID // ascending
	slots  int
}

type topicSlots struct {
	name       string
	partitions int32
	first      int // slot of partition 0
	declared   bool
}

var errDeclaration = errors.New("journal: declaration")

// newTable joins the declared topics with those of the headers found.
func newTable(declared []stream.Topic, found []*segmentHeader) (*table, error) {
	t := &table{}
	for _, d := range declared {
		if err := t.declare(d); err != nil {
			return nil, err
		}
	}
	for _, h := range found {
		for _, o := range h.topics {
			if err := t.meet(o); err != nil {
				return nil, err
			}
		}
	}
	for id := range t.topics {
		if s := &t.topics[id]; s.partitions > 0 {
			s.first = t.slots
			t.slots += int(s.partitions)
			t.ids = append(t.ids, stream.TopicID(id))
		}
	}
	if t.slots > maxPartitions {
		return nil, fmt.Errorf("%w: %d partitions, at most %d", errDeclaration, t.slots, maxPartitions)
	}
	return t, nil
}

func (t *table) declare(d stream.Topic) error {
	s := &t.topics[d.ID]
	switch {
	case d.ID == controlTopic:
		return fmt.Errorf("%w: topic id %d is reserved", errDeclaration, d.ID)
	case s.declared:
		return fmt.Errorf("%w: topic id %d twice", errDeclaration, d.ID)
	case d.Partitions < 1 || d.Partitions > maxPartitions:
		return fmt.Errorf("%w: topic %s with %d partitions", errDeclaration, d.Name, d.Partitions)
	case d.Name == "" || len(d.Name) > maxNameLength:
		return fmt.Errorf("%w: topic %d: name %q", errDeclaration, d.ID, d.Name)
	}
	*s = topicSlots{name: d.Name, partitions: d.Partitions, declared: true}
	return nil
}

func (t *table) meet(o topicOffsets) error {
	s := &t.topics[o.id]
	n := int32(len(o.next))
	switch {
	case o.id == controlTopic || n == 0:
		return fmt.Errorf("%w: topic %d with %d partitions in a header", stream.ErrCorrupt, o.id, n)
	case s.partitions == 0:
		*s = topicSlots{name: o.name, partitions: n}
	case s.name != o.name:
		return fmt.Errorf("%w: topic %d is %s in the log, not %s", errDeclaration, o.id, o.name, s.name)
	case s.partitions != n:
		return fmt.Errorf("%w: topic %s has %d partitions in the log, not %d", errDeclaration, o.name, n, s.partitions)
	}
	return nil
}

// slot returns a partition's slot, or -1.
func (t *table) slot(topic stream.TopicID, partition int32) int {
	s := &t.topics[topic]
	if partition < 0 || partition >= s.partitions {
		return -1
	}
	return s.first + int(partition)
}

// offsets spreads a header's next offsets over the slots; a topic that the
// header does not know begins at 0.
func (t *table) offsets(h *segmentHeader) []int64 {
	next := make([]int64, t.slots)
	for _, o := range h.topics {
		copy(next[t.topics[o.id].first:], o.next)
	}
	return next
}

// describe is the reverse of offsets.
func (t *table) describe(next []int64) []topicOffsets {
	all := make([]topicOffsets, 0, len(t.ids))
	for _, id := range t.ids {
		s := t.topics[id]
		all = append(all, topicOffsets{id: id, name: s.name, next: slices.Clone(next[s.first : s.first+int(s.partitions)])})
	}
	return all
}
