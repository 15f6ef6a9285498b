// Package fault is the ways in which the torture server can be made wrong:
// decorators of the ports, each a mistake that a real server could have. A
// torture that does not catch one of them cannot be trusted to catch the like.
// Nothing here is in the way of the production server.
package fault

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

// ErrUnknown: there is no fault of that name.
var ErrUnknown = errors.New("fault: unknown")

// Fault decorates one port or more; nil leaves a port as it is.
type Fault struct {
	Name string
	// Field of the report that must not be 0.
	Field string
	// Story says what is wrong.
	Story string

	FS  func(vfs.FS) vfs.FS
	Log func(stream.Log) stream.Log
	KV  func(kv.Store) kv.Store
}

// All are the faults, by name.
func All() []Fault {
	all := []Fault{
		{
			Name: "ack-before-sync", Field: "lost",
			Story: "the disk says that the log is synced, and it is not",
			FS:    func(fs vfs.FS) vfs.FS { return lyingFS{fs} },
		},
		{
			Name: "offset-before-effect", Field: "lost",
			Story: "consumers' offsets are committed as records are handed out, before their effects are kept",
			Log:   func(l stream.Log) stream.Log { return &hasty{l} },
		},
		{
			Name: "checkpoint-lies", Field: "lost",
			Story: "the store says that it is synced, and it is not, so offsets move past effects that a loss of power undoes",
			KV:    func(s kv.Store) kv.Store { return forgetful{s} },
		},
		{
			Name: "drop-batch", Field: "lost",
			Story: "the store drops one in ten batches of conversations and says nothing",
			KV:    func(s kv.Store) kv.Store { return &dropper{Store: s, drops: conversations(), nth: 10} },
		},
		{
			Name: "drop-rows", Field: "unread_mismatch",
			Story: "the store drops one in five updates of list rows and says nothing",
			KV:    func(s kv.Store) kv.Store { return &dropper{Store: s, drops: rows(), nth: 5} },
		},
		{
			Name: "no-dedupe", Field: "duplicated",
			Story: "what is sent again is taken for new: the log gets it under another key",
			Log:   func(l stream.Log) stream.Log { return newRekeyer(l) },
		},
		{
			Name: "reorder", Field: "reordered",
			Story: "messages that arrive together change places, and nobody looks at their predecessors",
			Log:   func(l stream.Log) stream.Log { return &shuffler{Log: l} },
		},
		{
			Name: "lost-append", Field: "inbox_mismatch",
			Story: "one in a thousand fan-out records is not appended, and said to be",
			Log:   func(l stream.Log) stream.Log { return &leaky{Log: l} },
		},
		{
			Name: "push-before-durable", Field: "inbox_mismatch",
			Story: "inbox entries are made and pushed before their records are synced",
			Log:   func(l stream.Log) stream.Log { return newEarly(l) },
		},
	}
	slices.SortFunc(all, func(a, b Fault) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

// Find returns the fault of that name; the empty name is no fault at all.
func Find(name string) (Fault, error) {
	if name == "" {
		return Fault{}, nil
	}
	for _, f := range All() {
		if f.Name == name {
			return f, nil
		}
	}
	return Fault{}, fmt.Errorf("%w: %q; --break list names them", ErrUnknown, name)
}

// List writes a line for each fault: its name, the field that must catch it,
// what is wrong.
func List(w io.Writer) error {
	for _, f := range All() {
		if _, err := fmt.Fprintf(w, "%-20s %-16s %s\n", f.Name, f.Field, f.Story); err != nil {
			return err
		}
	}
	return nil
}
