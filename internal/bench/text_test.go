package bench

import (
	"bytes"
	"compress/flate"
	"regexp"
	"testing"
)

func TestTextsAreWordsOfTheRightSizeThatNeedNoEscape(t *testing.T) {
	words := regexp.MustCompile(`^[a-z]+( [a-z]+)*[. ]?$`)
	pool := newTextPool(7)
	for seq := range uint32(1000) {
		text := pool.of(3, seq)
		if len(text) != textBytes || !words.Match(text) {
			t.Fatalf("text %d: %d bytes %q", seq, len(text), text)
		}
	}
}

func TestATextFollowsFromSeedConversationAndNumber(t *testing.T) {
	a, b, other := newTextPool(7), newTextPool(7), newTextPool(8)
	if !bytes.Equal(a.of(5, 9), b.of(5, 9)) {
		t.Error("the same seed gives another text")
	}
	if bytes.Equal(a.of(5, 9), other.of(5, 9)) || bytes.Equal(a.of(5, 9), a.of(5, 10)) {
		t.Error("another seed or number gives the same text")
	}
}

// A pool that compresses well would flatter the bytes that a server writes.
func TestTextsDoNotCompressAway(t *testing.T) {
	pool := newTextPool(1)
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	const texts = 300
	for conv := range uint32(texts) {
		if _, err := w.Write(pool.of(conv, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if share := float64(out.Len()) / (texts * textBytes); share < 0.4 {
		t.Errorf("the texts shrink to %.0f %%", share*100)
	}
}
