package hottest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/internal/hot"
)

// modelSet is the contract in its plainest form.
type modelSet struct {
	complete bool
	scores   map[string]int64
}

func (m *modelSet) raise(items ...hot.Item) {
	for _, it := range items {
		if old, ok := m.scores[it.Member]; !ok || it.Score > old {
			m.scores[it.Member] = it.Score
		}
	}
}

func (m *modelSet) top(after *hot.Item, limit int) []hot.Item {
	var items []hot.Item
	for member, score := range m.scores {
		if it := item(member, score); after == nil || before(*after, it) {
			items = append(items, it)
		}
	}
	slices.SortFunc(items, func(a, b hot.Item) int {
		if before(a, b) {
			return -1
		}
		return 1
	})
	return items[:max(0, min(limit, len(items)))]
}

// Few sets, members and scores, so that they meet; many members now and then.
var (
	setNames = rapid.SampledFrom([]string{"", "u", "v"})
	drawItem = rapid.Custom(func(t *rapid.T) hot.Item {
		m := rapid.OneOf(rapid.SampledFrom([]string{"", "a", "ab", "b", "\x00", "\xff"}),
			rapid.Custom(func(t *rapid.T) string { return fmt.Sprint(rapid.IntRange(0, 400).Draw(t, "m")) })).Draw(t, "member")
		return item(m, rapid.OneOf(rapid.Int64Range(0, 9), rapid.Int64Range(0, hot.MaxScore)).Draw(t, "score"))
	})
	drawItems = rapid.OneOf(rapid.SliceOfN(drawItem, 0, 5), rapid.SliceOfN(drawItem, 0, 300))
)

func behavesAsAMap(t *testing.T, r hot.Recents) {
	rapid.Check(t, func(t *rapid.T) {
		model := make(map[string]*modelSet)
		for _, set := range []string{"", "u", "v"} {
			check(t, r.Forget(ctx, set), nil)
		}
		t.Repeat(map[string]func(*rapid.T){
			"touch": func(t *rapid.T) {
				set := setNames.Draw(t, "set")
				for _, it := range drawItems.Draw(t, "items") {
					check(t, r.Touch(ctx, set, it), nil)
					if m := model[set]; m != nil {
						m.raise(it)
					}
				}
			},
			"begin": func(t *rapid.T) {
				set := setNames.Draw(t, "set")
				check(t, r.Begin(ctx, set), nil)
				if model[set] == nil {
					model[set] = &modelSet{scores: make(map[string]int64)}
				}
			},
			"fill": func(t *rapid.T) {
				set, items := setNames.Draw(t, "set"), drawItems.Draw(t, "items")
				m, want := model[set], error(nil)
				if m == nil {
					want = hot.ErrNotFilled
				} else {
					m.raise(items...)
					m.complete = true
				}
				check(t, r.Fill(ctx, set, items), want)
			},
			"top": func(t *rapid.T) {
				set, limit := setNames.Draw(t, "set"), rapid.IntRange(-1, 500).Draw(t, "limit")
				after := rapid.Ptr(drawItem, true).Draw(t, "after")
				compareTop(t, r, model[set], set, after, limit)
			},
			"forget": func(t *rapid.T) {
				set := setNames.Draw(t, "set")
				check(t, r.Forget(ctx, set), nil)
				delete(model, set)
			},
			"": func(t *rapid.T) {
				for _, set := range []string{"", "u", "v"} {
					compareTop(t, r, model[set], set, nil, 1000)
				}
			},
		})
	})
}

func compareTop(t *rapid.T, r hot.Recents, m *modelSet, set string, after *hot.Item, limit int) {
	got, err := r.Top(ctx, set, after, limit)
	if m == nil || !m.complete {
		check(t, err, hot.ErrNotFilled)
		return
	}
	check(t, err, nil)
	if diff := cmp.Diff(m.top(after, limit), got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("top %d of %q after %v (-want +got):\n%s", limit, set, after, diff)
	}
}

func check(t *rapid.T, err, want error) {
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}
