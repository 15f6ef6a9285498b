package wire

import "testing"

// Every type has a name of its own, by which it is read.
func TestTypesAndNamesAgree(t *testing.T) {
	seen := make(map[string]bool)
	for _, kind := range Types() {
		name := kind.String()
		if kind == Unknown || name == Unknown.String() || seen[name] || typeOf([]byte(name)) != kind {
			t.Errorf("type %d has the name %q, which reads as %v", kind, name, typeOf([]byte(name)))
		}
		seen[name] = true
	}
	if len(seen) != len(typeNames)-1 {
		t.Errorf("%d types, %d names", len(seen), len(typeNames)-1)
	}
}
