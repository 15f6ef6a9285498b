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
	"strings"

	"github.com/merchantim/merchantim/internal/gateway/ws"
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
	// Service is what the long link asks for.
	Service func(ws.Service) ws.Service
}

// All are the faults, by name.
func All() []Fault {
	all := slices.Concat(ofChains, ofGroups, ofBothLinks)
	slices.SortFunc(all, func(a, b Fault) int { return strings.Compare(a.Name, b.Name) })
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
