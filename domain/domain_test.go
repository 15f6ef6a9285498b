package domain_test

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/domain"
)

var name = rapid.StringMatching(`[a-zA-Z0-9._-]{1,64}`)

// The conversation of two people is one, and no other two have it.
func TestDirectID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pick := func(label string) domain.UserID { return domain.UserID(name.Draw(t, label)) }
		a, b, c, d := pick("a"), pick("b"), pick("c"), pick("d")
		id := domain.DirectID(a, b)
		if id != domain.DirectID(b, a) {
			t.Fatal("it depends on who opens it")
		}
		if id[6]>>4 != 8 || id[8]>>6 != 2 {
			t.Fatalf("%x is no UUID of version 8", id)
		}
		same := a == c && b == d || a == d && b == c
		if (id == domain.DirectID(c, d)) != same {
			t.Fatalf("%q with %q and %q with %q", a, b, c, d)
		}
	})
	if domain.DirectID("ab", "c") == domain.DirectID("a", "bc") {
		t.Error("names run together")
	}
}

// It is in every store: it must never change.
func TestDirectIDIsFixed(t *testing.T) {
	if got := fmt.Sprintf("%x", domain.DirectID("alice", "bob")); got != fixedDirectID {
		t.Errorf("alice and bob have %s, had %s", got, fixedDirectID)
	}
}

func TestPositions(t *testing.T) {
	ordered := []domain.Position{{}, {Offset: 1}, {Incarnation: 1}, {Incarnation: 1, Offset: 9}, {Incarnation: 2}}
	for i, p := range ordered {
		for j, q := range ordered {
			if p.Before(q) != (i < j) {
				t.Errorf("%v before %v: %v", p, q, p.Before(q))
			}
		}
	}
}

func TestCodeOf(t *testing.T) {
	refusal := domain.Refuse(domain.Conflict, "no %d", 7)
	if got := domain.CodeOf(fmt.Errorf("wrapped: %w", refusal)); got != domain.Conflict {
		t.Errorf("a wrapped refusal: %q", got)
	}
	if got := domain.CodeOf(errors.New("disk")); got != domain.Internal {
		t.Errorf("another error: %q", got)
	}
	if refusal.Error() != "conflict: no 7" {
		t.Error(refusal.Error())
	}
}

const fixedDirectID = "9333bcb877e9817ebab716603d6ed862"
