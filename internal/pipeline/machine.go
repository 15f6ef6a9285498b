package pipeline

import (
	"context"

	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
)

// Machine is one partition of a stage without a goroutine: it takes a batch of
// records step by step and never waits. The shell drives it in a server, the
// simulation in whatever order a seed picks. For one goroutine.
type Machine struct {
	*Stages
	stage     stage
	owner     owner
	partition stream.Partition
	done      progress
	taken     int64 // one past the newest record taken

	recs    []stream.Record // of the batch that are still to be taken
	out     []stream.Record // what the batch appends
	durable func(error)     // to be told when out is durable
	busy    bool
}

// Machine makes the owner of a partition of a stage, named by its group.
func (s *Stages) Machine(group string, p stream.Partition) *Machine {
	switch group {
	case SingleGroup:
		return newMachine(s, s.single(), p)
	case MixedGroup:
		return newMachine(s, s.mixed(nil), p)
	}
	return newMachine(s, s.list(nil), p)
}

func newMachine(s *Stages, st stage, p stream.Partition) *Machine {
	m := &Machine{Stages: s, stage: st, owner: st.owner(p), partition: p, taken: p.Start()}
	m.done.next.Store(m.taken)
	m.stage.reached.note(p.ID(), m.taken)
	return m
}

// Mark is the progress of this owner, for the Writer.
func (m *Machine) Mark() *store.Mark {
	return &store.Mark{
		Topic: uint8(m.stage.topic), Partition: m.partition.ID(), Kept: m.stage.kept,
		Incarnation: m.Incarnation, Next: &m.done.next, Commit: m.partition.Commit,
	}
}

// CaughtUp reports whether all that was durable when the partition was assigned
// has taken effect, own appends included.
func (m *Machine) CaughtUp() bool { return m.done.next.Load() >= m.partition.End() }

// Lost reports whether the log could not keep what this owner had appended: it
// must begin again from what was committed.
func (m *Machine) Lost() bool {
	m.done.mu.Lock()
	defer m.done.mu.Unlock()
	return m.done.lost
}

// Begin takes records up; the batch before must have ended.
func (m *Machine) Begin(recs []stream.Record) {
	m.Watch.Batch(m.stage.name, len(recs))
	m.recs, m.busy = recs, true
}

// Busy reports whether a batch is under way.
func (m *Machine) Busy() bool { return m.busy }

// Advance does one thing of the batch: it takes the next record through the
// step, or appends what followed. After an error it must be called again.
func (m *Machine) Advance(ctx context.Context) error {
	if len(m.recs) > 0 {
		if err := m.owner.step(ctx, &m.recs[0]); err != nil {
			return err
		}
		m.taken = m.recs[0].Position.Offset + 1
		m.recs = m.recs[1:]
		if len(m.recs) == 0 {
			m.gather()
		}
		return nil
	}
	err := m.done.hand(func() error { return m.Log.Append(record.MixedTopic, m.out, m.durable) })
	if err == nil {
		m.End()
	}
	return err
}

// gather ends the steps of a batch: what they append comes next, if anything.
func (m *Machine) gather() {
	m.stage.reached.note(m.partition.ID(), m.taken)
	m.out = nil
	if m.owner.appends != nil {
		m.out = m.owner.appends()
	}
	if m.durable = m.done.batch(m.taken, len(m.out) > 0); len(m.out) == 0 {
		m.End()
	}
}

// End lets the answers of a batch go out, also when the owner is cut short: what
// it has decided stands, and who applies the records again is silent.
func (m *Machine) End() {
	m.busy = false
	if m.owner.outbox != nil {
		m.owner.outbox.Flush()
	}
}

// Release lets out the answers that are true by now. Only for who has not given
// them a goroutine of their own.
func (m *Machine) Release() {
	if h, ok := m.owner.outbox.(*held); ok {
		h.letOut()
	}
}
