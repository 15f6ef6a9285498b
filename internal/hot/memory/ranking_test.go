package memory

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/internal/hot"
)

// wellFormed checks what ranking's comment promises.
func wellFormed(t *rapid.T, r *ranking) {
	var all []hot.Item
	for i, b := range r.blocks {
		if len(b) == 0 || len(b) > blockItems {
			t.Fatalf("block %d of %d has %d items", i, len(r.blocks), len(b))
		}
		all = append(all, b...)
	}
	if len(all) != len(r.scores) || !slices.IsSortedFunc(all, compare) {
		t.Fatalf("%d items in blocks for %d members, or out of order", len(all), len(r.scores))
	}
	for _, it := range all {
		if s, ok := r.scores[it.Member]; !ok || s != it.Score {
			t.Fatalf("%v in a block, score %d, %v", it, s, ok)
		}
	}
}

func TestRankingKeepsItsShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRanking(nil)
		top := int64(5000)
		for range rapid.IntRange(1, 6).Draw(t, "phases") {
			members := rapid.IntRange(1, 2000).Draw(t, "members")
			step := rapid.SampledFrom([]int{1, 7, 127, 7919}).Draw(t, "step")
			toTop := rapid.Bool().Draw(t, "to the top")
			for i := range rapid.IntRange(0, 3000).Draw(t, "touches") {
				k := i * step % members
				score := int64(k / 3)
				if toTop {
					top++
					score = top
				}
				r.raise(hot.Item{Member: fmt.Sprint(k), Score: score})
			}
			wellFormed(t, r)
		}
	})
}

// However members wander to the top, blocks do not become thin.
func TestBlocksStayFilled(t *testing.T) {
	const n = 20_000
	items := make([]hot.Item, n)
	for i := range items {
		items[i] = hot.Item{Member: fmt.Sprint(i), Score: int64(i)}
	}
	r := newRanking(items)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 10 * n {
		r.raise(hot.Item{Member: items[rng.IntN(n)].Member, Score: int64(n + i)})
	}
	if most := 4*n/blockItems + 1; len(r.blocks) > most {
		t.Errorf("%d items lie in %d blocks, want at most %d", n, len(r.blocks), most)
	}
}
