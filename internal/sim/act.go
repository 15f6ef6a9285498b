package sim

import (
	"slices"

	"github.com/merchantim/merchantim/internal/pipeline"
)

// act does what one step is: a turn of a stage, of the log, of the writer, of a
// client, or something that goes wrong. What cannot be done now is passed over.
func (w *world) act() {
	s, rng := w.s, w.rng
	s.open()
	switch n := rng.IntN(100); {
	case n < 36:
		w.turn()
	case n < 54:
		w.logTurn()
	case n < 60:
		w.tell("answers go out")
		s.answers()
	case n < 67:
		s.write(rng.IntN(3) == 0)
	case n < 93:
		w.client()
	default:
		w.trouble()
	}
}

// turn lets an owner do some things.
func (w *world) turn() {
	group := pick(w.rng, []string{
		pipeline.SingleGroup, pipeline.SingleGroup, pipeline.SingleGroup,
		pipeline.MixedGroup, pipeline.MixedGroup, pipeline.MixedGroup, pipeline.ListGroup,
	})
	owner, times, records := w.rng.IntN(6), 1+w.rng.IntN(6), 1+w.rng.IntN(12)
	for range times {
		owners := w.s.owners[group]
		if len(owners) == 0 || !w.s.drive(owners[owner%len(owners)], records) {
			return
		}
		if w.check(); w.err != nil {
			return
		}
	}
}

// logTurn lets the log do the next thing with its oldest group.
func (w *world) logTurn() {
	j := w.s.journal
	if j.err != nil {
		return
	}
	for range 1 + w.rng.IntN(3) {
		switch n := w.rng.IntN(10); {
		case n < 3:
			if w.cfg.early && j.show() {
				w.tell("the log shows %d records early", j.queue[0].shown)
			}
		case n < 4:
			if len(j.queue) > 0 {
				w.tell("the log ends a group")
				j.queue[len(j.queue)-1].sealed = true
			}
		case n < 6:
			if j.write() {
				w.tell("the log writes %d records", len(j.queue[0].recs))
			}
		case n < 9:
			if len(j.queue) > 0 {
				w.tell("the log syncs %d records", len(j.queue[0].recs))
				j.sync()
			}
		default:
			if w.spool.trim(w.s.owners) {
				w.tell("the log drops what is committed")
			}
		}
	}
}

// trouble is what goes wrong.
func (w *world) trouble() {
	s, j := w.s, w.s.journal
	n := w.rng.IntN(100)
	if n < 16 {
		if w.cfg.crashes {
			w.fall()
		}
		return
	}
	if n < 24 {
		w.skew += int64(w.rng.IntN(7_200_000_000)) - 3_600_000_000
		w.tell("the clock jumps")
		return
	}
	if n < 34 {
		u := pick(w.rng, w.users)
		w.online[u] = !w.online[u]
		w.tell("%s is online: %t", u, w.online[u])
		return
	}
	if !w.cfg.faults {
		return
	}
	switch {
	case n < 52:
		if group := pick(w.rng, w.groups).Name; len(s.owners[group]) > 0 {
			s.again(group)
		}
	case n < 64:
		w.storeDown = !w.storeDown
		w.tell("the store is down: %t", w.storeDown)
	case n < 76:
		j.full = !j.full
		w.tell("no space for the log: %t", j.full)
	case n < 88:
		if len(j.queue) > 0 && !j.queue[0].written {
			w.tell("the log cannot write %d records", len(j.queue[0].recs))
			j.reject()
		}
	case n < 93:
		if len(j.queue) > 0 {
			w.tell("the log cannot sync %d records", len(j.queue[0].recs))
			j.breakDown()
		}
	default:
		for _, u := range w.users {
			_ = s.svc.Recents.Forget(ctx, string(u))
		}
		w.tell("hot state is forgotten")
	}
	if j.err != nil { // the process ends: what its disks have is what is left
		w.fall()
	}
}

// fall ends a life, one way or another, and begins the next.
func (w *world) fall() {
	if w.s.journal.err == nil && w.rng.IntN(5) == 0 {
		w.halt()
	} else {
		w.crash()
	}
	if w.cfg.losses && w.rng.IntN(3) == 0 && w.spool.groups > 0 {
		w.spool.lose(w.rng.IntN(w.spool.groups))
		w.tell("the log has lost what was durable, up to group %d", w.spool.groups)
		w.loss, w.maimed = true, true
	}
	w.storeDown = w.storeDown && w.rng.IntN(2) == 0
	w.boot()
}

// rest lets everything come to an end.
func (w *world) rest() {
	w.s.journal.full, w.storeDown = false, false
	for range 10_000 {
		if w.err != nil || !w.restTurn() {
			break
		}
		if w.check(); w.err != nil {
			return
		}
	}
	if w.err == nil && (!w.s.ready || w.restTurn()) {
		w.fail("the server does not come to rest; ready: %t", w.s.ready)
	}
}

func (w *world) restTurn() (progress bool) {
	s, before := w.s, len(w.story)
	s.open()
	for _, t := range slices.Clone(s.calls) {
		w.resume(t)
	}
	for _, g := range w.groups {
		for i := range s.owners[g.Name] {
			progress = s.drive(s.owners[g.Name][i], w.cfg.batch) || progress
		}
	}
	if len(s.journal.queue) > 0 {
		s.journal.sync()
		progress = true
	}
	s.answers()
	if s.flush != nil || s.store.PendingBytes() > 0 {
		s.write(true)
		progress = true
	}
	return progress || len(w.story) > before
}
