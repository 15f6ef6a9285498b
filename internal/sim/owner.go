package sim

import (
	"fmt"
	"slices"

	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/stream"
)

// owner is a machine with its partition.
type owner struct {
	*pipeline.Machine
	name    string
	part    *assigned
	passed  int64 // all below is done, and not only begun
	work    *task // an advance that stopped in the middle
	release func()
}

// assign gives a group's partitions to new owners.
func (s *server) assign(group string) {
	for _, g := range s.w.groups {
		if g.Name != group {
			continue
		}
		s.owners[group] = nil
		for p := range s.journal.Partitions(g.Topic) {
			part := s.journal.assign(g, p)
			m := s.stages.Machine(group, part)
			o := &owner{Machine: m, part: part, passed: part.start, name: fmt.Sprintf("%s/%d", group, p)}
			o.release = s.writer.Register(m.Mark())
			s.owners[group] = append(s.owners[group], o)
		}
	}
}

// again takes the partitions of a group from their owners, who may be in the
// middle of something, and assigns them anew.
func (s *server) again(group string) {
	s.retire(group)
	s.assign(group)
	s.w.tell("%s begins again", group)
}

func (s *server) retire(group string) {
	for _, o := range s.owners[group] {
		if o.work != nil { // the step that it is in ends first
			s.whole(o.work)
			o.work = nil
		}
		o.End()
		o.release()
		s.retired = append(s.retired, o.Machine)
	}
	s.owners[group] = nil
}

// whole lets a task go on to its end without failures.
func (s *server) whole(t *task) {
	calm := s.w.calm
	s.w.calm = true
	for i := 0; !t.settled && i < 1000; i++ {
		s.w.run(t)
	}
	s.w.calm = calm
}

// open lets the next stages in once those before have caught up.
func (s *server) open() {
	caught := func(group string) bool {
		owners := s.owners[group]
		return len(owners) > 0 && !slices.ContainsFunc(owners, func(o *owner) bool { return !o.CaughtUp() })
	}
	if s.ready || !caught(pipeline.SingleGroup) {
		return
	}
	if s.owners[pipeline.MixedGroup] == nil {
		s.w.tell("single has caught up")
		s.assign(pipeline.MixedGroup)
		s.assign(pipeline.ListGroup)
	}
	if caught(pipeline.MixedGroup) && caught(pipeline.ListGroup) {
		s.ready = true
		s.w.tell("the server is ready")
		s.w.checkTold()
	}
}

// drive lets an owner do one thing, and reports whether there was any.
func (s *server) drive(o *owner, records int) bool {
	switch {
	case o.Lost() && (s.w.calm || s.w.rng.IntN(3) == 0): // it hears of it some time
		s.again(pipeline.SingleGroup)
	case o.work != nil:
		s.step(o)
	case o.Busy():
		s.step(o)
	default:
		limit := min(records, s.w.cfg.batch)
		recs, _ := o.part.Next(ctx, nil, limit)
		if o.part.group.Name == pipeline.ListGroup {
			recs = s.behind(o, recs)
		}
		if len(recs) == 0 {
			return false
		}
		s.w.tell("%s takes %d from %d", o.name, len(recs), recs[0].Position.Offset)
		o.Begin(recs)
		s.step(o)
	}
	return true
}

// behind keeps list behind mixed, as its shell does.
func (s *server) behind(o *owner, recs []stream.Record) []stream.Record {
	before := s.owners[pipeline.MixedGroup][o.part.at.partition].passed
	n := 0
	for n < len(recs) && recs[n].Position.Offset < before {
		n++
	}
	if n < len(recs) {
		o.part.pos = recs[n].Position.Offset
	}
	return recs[:n]
}

func (s *server) step(o *owner) {
	if o.work == nil {
		o.work = s.w.begin(o.name, func() {
			if err := o.Advance(ctx); err != nil {
				s.w.tell("%s is held up: %v", o.name, err)
			}
		})
	}
	if !s.w.run(o.work) {
		s.w.tell("%s stops in the middle", o.name)
		return
	}
	o.work = nil
	if !o.Busy() {
		o.passed = o.part.pos
	}
	s.w.tell("%s goes on", o.name)
}
