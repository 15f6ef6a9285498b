package domain_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/domain"
)

// A place has one text, and what is no place's text is refused.
func TestPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := domain.Place{
			Partition: rapid.Int32Min(0).Draw(t, "partition"),
			Position:  domain.Position{Incarnation: rapid.Uint32().Draw(t, "incarnation"), Offset: rapid.Int64Min(0).Draw(t, "offset")},
		}
		if got, ok := domain.ParsePlace(p.String()); !ok || got != p {
			t.Fatalf("%v reads as %v, %v", p, got, ok)
		}
	})
	for _, text := range []string{"", "1", "1-0", "1-0-0-0", "a-0-0", "01-0-0", "1-+1-0", "1-0-", " 1-0-0", "1-0--1", "4294967296-0-0", "1-2147483648-0", "1-0-9223372036854775808"} {
		if p, ok := domain.ParsePlace(text); ok {
			t.Errorf("%q is read as %v", text, p)
		}
	}
}
