package bench

import (
	"testing"

	"pgregory.net/rapid"
)

func TestAKeyComesBackFromItsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := messageKey{
			conv: rapid.Uint32Range(0, 1<<24-1).Draw(t, "conv"),
			seq:  rapid.Uint32().Draw(t, "seq"),
			at:   rapid.Int64Range(0, 1<<40-1).Draw(t, "at"),
		}
		text := want.appendTo(nil)
		got, ok := parseKey(text)
		if !ok || got != want || len(text) != keyBytes {
			t.Fatalf("%+v became %q became %+v (%v)", want, text, got, ok)
		}
	})
}

func TestAStrangersKeyIsRefused(t *testing.T) {
	for _, text := range []string{"", "a1", "AAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAA", "AAAAAAA AAAAAAAA", "AAAAAAA\nAAAAAAAA"} {
		if k, ok := parseKey([]byte(text)); ok {
			t.Errorf("%q was taken for %+v", text, k)
		}
	}
}
