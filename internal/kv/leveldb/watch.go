package leveldb

import "github.com/merchantim/merchantim/internal/kv"

// watch knows what a call's own batches have made of the keys that its later
// batches have conditions on. Other keys are not followed.
type watch struct {
	slots map[string]int // physical key → index into state
	state []watched
}

type watched struct {
	value []byte // the caller's; valid during the call
	there bool
	known bool // some batch of this call has set or deleted it
}

// begin finds the keys to follow. The conditions of the first batch need none.
func (w *watch) begin(batches []kv.Batch, buf []byte) {
	for i := 1; i < len(batches); i++ {
		b := &batches[i]
		if len(b.If) == 0 || b.Check() != nil {
			continue
		}
		prefix := appendPrefix(buf, b.Partition)
		for _, c := range b.If {
			w.follow(append(prefix, c.Key...))
		}
	}
}

func (w *watch) follow(key []byte) {
	if _, ok := w.slots[string(key)]; ok {
		return
	}
	if w.slots == nil {
		w.slots = map[string]int{}
	}
	w.slots[string(key)] = len(w.state)
	w.state = append(w.state, watched{})
}

// end forgets everything.
func (w *watch) end() {
	clear(w.slots)
	clear(w.state)
	w.state = w.state[:0]
}

// note follows an operation that takes effect.
func (w *watch) note(key []byte, op kv.Op) {
	if len(w.state) == 0 {
		return
	}
	if i, ok := w.slots[string(key)]; ok {
		w.state[i] = watched{value: op.Value, there: !op.Delete, known: true}
	}
}

func (w *watch) get(key []byte) (value []byte, there, known bool) {
	if len(w.state) == 0 {
		return nil, false, false
	}
	i, ok := w.slots[string(key)]
	if !ok {
		return nil, false, false
	}
	return w.state[i].value, w.state[i].there, w.state[i].known
}
