package chat

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The table is a map from fingerprints to lists of indices, however many share
// a fingerprint or a slot.
func TestTableIsAMultimap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mark := rapid.OneOf(rapid.Uint32Range(0, 5), rapid.Uint32(), rapid.Custom(func(t *rapid.T) uint32 {
			return rapid.Uint32Range(1, 4).Draw(t, "high")<<16 | 7 // one slot, many fingerprints
		}))
		var tab table
		model := make(map[uint32][]uint64)
		for i := range rapid.IntRange(0, 300).Draw(t, "n") {
			m, index := mark.Draw(t, "mark"), uint64(i+1)
			tab.add(m, index)
			if m != 0 {
				model[m] = append(model[m], index)
			}
		}
		probe := rapid.SliceOf(mark).Draw(t, "probe")
		for m := range model {
			probe = append(probe, m)
		}
		for _, m := range probe {
			var got []uint64
			for i := tab.first(m); i >= 0; i = tab.next(m, i) {
				got = append(got, tab.index(i))
			}
			slices.Sort(got)
			if d := cmp.Diff(model[m], got); d != "" {
				t.Fatalf("fingerprint %d: %s", m, d)
			}
		}
	})
}
