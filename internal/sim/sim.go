// Package sim runs the whole pipeline (accept, single, mixed, push, list, the
// store's writer, checkpoints, clients) in one goroutine and in virtual time, on
// engines that fail. A seed picks what happens next and what goes wrong; after
// each step what must always hold is checked.
//
// It promises that a history is a function of its seed and of the steps that
// are kept: the same history fails in the same way, each time, and Shrink finds
// the few steps that matter. It refuses to say anything of the real journal, the
// real store, goroutines and locks; DESIGN.md tells what no seed can find.
package sim

import (
	"fmt"
	"hash/fnv"
	"slices"
)

// History names a history: a seed and which of its steps are done.
type History struct {
	Seed  uint64
	Steps []int // nil: all
	Flaw  Flaw
}

// Flaw is a defect of the engines, made to see that it is found.
type Flaw uint8

// The flaws.
const (
	Sound       Flaw = iota
	Forgetful        // a checkpoint of the store keeps nothing
	Hasty            // the log hands records that are not durable to all
	Unreliable       // the log loses a durable record when the power goes
	Disobedient      // a commit is durable before what it speaks of is
)

// Outcome is what became of a history.
type Outcome struct {
	Err    error    // what must always hold did not; nil: it did
	Steps  []int    // those that did something
	Story  []string // one line a thing that happened
	Digest uint64   // of the story: equal histories have equal ones
}

// Run lives through a history.
func Run(h History) (out Outcome) {
	w := newWorld(h)
	defer func() {
		if p := recover(); p != nil {
			w.fail("panic: %v", p)
		}
		sum := fnv.New64a()
		for _, line := range w.story {
			_, _ = sum.Write([]byte(line))
		}
		out = Outcome{Err: w.err, Steps: w.did, Story: w.story, Digest: sum.Sum64()}
	}()
	steps := h.Steps
	if steps == nil {
		steps = make([]int, w.cfg.steps)
		for i := range steps {
			steps[i] = i
		}
	}
	w.boot()
	for _, id := range steps {
		if w.err != nil {
			return out
		}
		w.step(id)
	}
	w.end()
	return out
}

// step does one step. Its choices come from the seed and its number alone, so
// that leaving others out does not change them.
func (w *world) step(id int) {
	w.pcg.Seed(w.history.Seed, uint64(id)+1)
	before := len(w.story)
	w.now = epochTime + int64(id)*1300 + w.skew
	w.act()
	if w.err == nil && len(w.story) > before {
		w.check()
	}
	if len(w.story) > before {
		w.did = append(w.did, id)
	}
}

// end lets everything come to rest, twice, with a loss of power between.
func (w *world) end() {
	w.calm = true
	for _, last := range []bool{false, true} {
		if w.err != nil {
			return
		}
		w.rest()
		w.checkAll()
		if !last && w.err == nil {
			w.pcg.Seed(w.history.Seed, 0)
			w.crash()
			w.boot()
		}
	}
}

// Shrink leaves out what a failing history does not need. It runs the history
// at most tries times.
func Shrink(h History, tries int) (History, Outcome) {
	worst := Run(h)
	if worst.Err == nil {
		return h, worst
	}
	h.Steps = worst.Steps
	for size := len(h.Steps); size > 0 && tries > 0; size /= 2 {
		for from := 0; from < len(h.Steps) && tries > 0; {
			less := h
			less.Steps = slices.Delete(slices.Clone(h.Steps), from, min(from+size, len(h.Steps)))
			tries--
			if out := Run(less); out.Err != nil {
				less.Steps, worst, h = out.Steps, out, less
				h.Steps = out.Steps
				continue
			}
			from += size
		}
	}
	return h, worst
}

func (w *world) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

// fail notes the first thing that went wrong.
func (w *world) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
		w.tell("WRONG: %v", w.err)
	}
}
