package sim

import "iter"

// task is a piece of work that can stop wherever it asks an engine, while others
// go on: a goroutine of a server, but never two at once.
type task struct {
	name    string
	resume  func() (struct{}, bool)
	yield   func(struct{}) bool
	whole   bool // stops nowhere by itself
	settled bool
}

// tasks run one at a time.
type tasks struct{ current *task }

// begin makes a task; it does nothing before it is resumed.
func (s *tasks) begin(name string, fn func()) *task {
	t := &task{name: name}
	t.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		fn()
	})
	return t
}

// run lets a task go on until it stops or ends, and reports whether it ended.
func (s *tasks) run(t *task) bool {
	before := s.current
	s.current = t
	_, more := t.resume()
	s.current = before
	t.settled = !more
	return t.settled
}

// stop ends the turn of the task that runs.
func (s *tasks) stop() {
	if t := s.current; t != nil {
		s.current = nil
		t.yield(struct{}{})
		s.current = t
	}
}
