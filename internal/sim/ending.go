package sim

import (
	"slices"

	"github.com/merchantim/merchantim/internal/stream"
)

// die ends a life: whatever is under way finds everything closed.
func (s *server) die() {
	s.tables.dead, s.links.dead = true, true
	s.journal.err = stream.ErrClosed
	under := slices.Clone(s.calls)
	if s.flush != nil {
		under = append(under, s.flush)
	}
	for _, g := range s.w.groups {
		for _, o := range s.owners[g.Name] {
			if o.work != nil {
				under = append(under, o.work)
			}
		}
	}
	for _, t := range under {
		for i := 0; !t.settled && i < 1000; i++ {
			s.w.run(t)
		}
		if !t.settled {
			s.w.fail("%s does not end when its server has", t.name)
		}
	}
}

// crash cuts the power.
func (w *world) crash() {
	w.tell("CRASH")
	w.s.journal.crash()
	w.s.die()
	w.platter.crash(w)
	w.forget()
}

// halt ends a server in order.
func (w *world) halt() {
	w.tell("the server is stopped")
	s, calm := w.s, w.calm
	w.calm = true
	defer func() { w.calm = calm }()
	s.journal.full, w.storeDown = false, false
	for _, g := range w.groups {
		s.retire(g.Name)
	}
	for len(s.journal.queue) > 0 {
		s.journal.sync()
	}
	s.answers()
	for range 2 {
		s.write(true)
		for i := 0; s.flush != nil && i < 1000; i++ {
			s.write(true)
		}
	}
	if err := s.journal.Close(); err != nil {
		w.fail("stop: %v", err)
	}
	s.die()
	w.platter.synced = len(w.platter.batches)
	w.forget()
}
