package torture

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kills := rapid.IntRange(1, 200).Draw(t, "kills")
		d := time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(t, "duration"))
		seed := rapid.Uint64().Draw(t, "seed")
		blows := plan(rand.New(rand.NewPCG(seed, 0)), kills, d)
		if len(blows) != kills {
			t.Fatalf("%d blows", len(blows))
		}
		if last := blows[kills-1]; last.when != underLoad || last.at != d {
			t.Fatalf("the last is %+v", last)
		}
		var before time.Duration
		for _, b := range blows {
			switch {
			case b.when == underLoad && b.at < before, b.when == onReady && b.at >= maxAfterReady, b.when == starting && b.at >= maxAfterStart:
				t.Fatalf("%+v after %v", b, before)
			case b.when == underLoad:
				before = b.at
			}
		}
	})
}
