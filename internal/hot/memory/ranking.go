package memory

import (
	"cmp"
	"slices"
	"strings"

	"github.com/merchantim/merchantim/internal/hot"
)

// blockItems is the most items of a block: 3 KB, which move in 0.1 µs.
const blockItems = 128

// ranking is an ordered set of items. They lie in ascending order in blocks of
// bounded size, none empty: finding a place is a binary search over the blocks
// and one within, and a change moves the items of one block only. The table of
// blocks moves once in many changes, 8 bytes a block. A block that becomes thin
// joins a neighbour, so blocks are a quarter full or better on average however
// members wander to the top.
type ranking struct {
	scores map[string]int64
	blocks [][]hot.Item
}

// compare gives the ascending order: the top of a set is the greatest item.
func compare(a, b hot.Item) int {
	if c := cmp.Compare(a.Score, b.Score); c != 0 {
		return c
	}
	return strings.Compare(a.Member, b.Member)
}

// newRanking copies items; of a member that comes twice the higher score wins.
func newRanking(items []hot.Item) *ranking {
	r := &ranking{scores: make(map[string]int64, len(items))}
	sorted := slices.Clone(items)
	slices.SortFunc(sorted, compare)
	for _, it := range sorted {
		r.scores[it.Member] = it.Score // the highest comes last
	}
	if len(r.scores) < len(sorted) {
		sorted = slices.DeleteFunc(slices.Compact(sorted), func(it hot.Item) bool { return r.scores[it.Member] != it.Score })
	}
	for b := range slices.Chunk(sorted, blockItems) {
		r.blocks = append(r.blocks, slices.Clone(b)) // else the first block left keeps all alive
	}
	return r
}

// merge makes one ranking of two, and uses up both.
func merge(a, b *ranking) *ranking {
	if a.len() < b.len() {
		a, b = b, a
	}
	for m, s := range b.scores {
		a.raise(hot.Item{Member: m, Score: s})
	}
	return a
}

func (r *ranking) len() int { return len(r.scores) }

// raise adds a member or raises its score. It reports whether it was added.
func (r *ranking) raise(it hot.Item) bool {
	old, ok := r.scores[it.Member]
	if ok && old >= it.Score {
		return false
	}
	if ok {
		r.remove(hot.Item{Member: it.Member, Score: old})
	}
	r.insert(it)
	r.scores[it.Member] = it.Score
	return !ok
}

// block finds the first block that reaches up to it; len(r.blocks) if none does.
func (r *ranking) block(it hot.Item) int {
	i, _ := slices.BinarySearchFunc(r.blocks, it, func(b []hot.Item, it hot.Item) int {
		return compare(b[len(b)-1], it)
	})
	return i
}

func (r *ranking) insert(it hot.Item) {
	i := r.block(it)
	if i == len(r.blocks) { // the new top: a full block is left full
		if i == 0 || len(r.blocks[i-1]) >= blockItems {
			r.blocks = append(r.blocks, []hot.Item{it})
			return
		}
		r.blocks[i-1] = append(r.blocks[i-1], it)
		return
	}
	if len(r.blocks[i]) >= blockItems {
		r.split(i)
		i = r.block(it)
	}
	p, _ := slices.BinarySearchFunc(r.blocks[i], it, compare)
	r.blocks[i] = slices.Insert(r.blocks[i], p, it)
}

func (r *ranking) remove(it hot.Item) {
	i := r.block(it)
	p, _ := slices.BinarySearchFunc(r.blocks[i], it, compare)
	r.blocks[i] = slices.Delete(r.blocks[i], p, p+1)
	n := len(r.blocks[i])
	switch {
	case n == 0:
		r.blocks = slices.Delete(r.blocks, i, i+1)
	case n > blockItems/4:
	case i > 0 && len(r.blocks[i-1])+n <= blockItems/2:
		r.join(i - 1)
	case i+1 < len(r.blocks) && len(r.blocks[i+1])+n <= blockItems/2:
		r.join(i)
	}
}

func (r *ranking) split(i int) {
	b := r.blocks[i]
	upper := slices.Clone(b[len(b)/2:])
	clear(b[len(b)/2:])
	r.blocks[i] = b[:len(b)/2]
	r.blocks = slices.Insert(r.blocks, i+1, upper)
}

// join adds block i+1 to block i.
func (r *ranking) join(i int) {
	r.blocks[i] = append(r.blocks[i], r.blocks[i+1]...)
	r.blocks = slices.Delete(r.blocks, i+1, i+2)
}

// page copies up to limit items below the given one (nil: from the top),
// greatest first.
func (r *ranking) page(after *hot.Item, limit int) []hot.Item {
	if limit < 1 || len(r.blocks) == 0 {
		return nil
	}
	i := len(r.blocks) - 1
	p := len(r.blocks[i]) // items of block i still to come
	if after != nil {
		if b := r.block(*after); b <= i {
			i = b
			p, _ = slices.BinarySearchFunc(r.blocks[i], *after, compare)
		}
	}
	out := make([]hot.Item, 0, min(limit, r.len()))
	for len(out) < limit {
		if p == 0 {
			if i--; i < 0 {
				break
			}
			p = len(r.blocks[i])
		}
		p--
		out = append(out, r.blocks[i][p])
	}
	return out
}
