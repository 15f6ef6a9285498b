package hottest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/hot"
)

func orderByScore(_ *testing.T, s *subject) {
	s.have("u", item("a", 2), item("b", 10), item("c", 9), item("d", 100), item("e", 0))
	s.want("u", item("d", 100), item("b", 10), item("c", 9), item("a", 2), item("e", 0))
}

func orderOfTies(_ *testing.T, s *subject) {
	s.have("u", item("b", 5), item("", 5), item("ab", 5), item("z", 4))
	s.touch("u", item("\xff", 5), item("a", 5), item("\x00", 5), item("Z", 5))
	s.want("u", item("\xff", 5), item("b", 5), item("ab", 5), item("a", 5), item("Z", 5), item("\x00", 5), item("", 5), item("z", 4))
}

func touchRaises(_ *testing.T, s *subject) {
	s.have("u", item("a", 5), item("b", 3))
	s.touch("u", item("b", 8))
	s.want("u", item("b", 8), item("a", 5))
	s.touch("u", item("b", 1), item("b", 8), item("a", 4))
	s.want("u", item("b", 8), item("a", 5))
	s.touch("u", item("c", 6), item("d", 0))
	s.want("u", item("b", 8), item("c", 6), item("a", 5), item("d", 0))
}

func scoresAreExact(_ *testing.T, s *subject) {
	now := int64(1_795_471_200_123)
	s.have("u", item("a", hot.MaxScore-1), item("b", now), item("c", now+1))
	s.touch("u", item("d", hot.MaxScore), item("e", now-1))
	s.want("u", item("d", hot.MaxScore), item("a", hot.MaxScore-1), item("c", now+1), item("b", now), item("e", now-1))
}

func membersAreBytes(_ *testing.T, s *subject) {
	var items []hot.Item
	for b := range 256 {
		items = append(items, item(string([]byte{byte(b), 0, byte(255 - b), '\n'}), int64(b/16)))
	}
	s.have("u", items...)
	s.touch("u", items...)
	slices.Reverse(items)
	s.want("u", items...)
}

// list is n items in the order of a set, in ties of five.
func list(n int) []hot.Item {
	items := make([]hot.Item, n)
	for i := range items {
		items[n-1-i] = item(fmt.Sprintf("m%06d", i), int64(i/5))
	}
	return items
}

func pagesFollow(t *testing.T, s *subject) {
	all := list(2003)
	half := slices.Clone(all[1000:])
	slices.Reverse(half)
	s.have("u", half...)
	s.touch("u", all[:1000]...)
	for _, size := range []int{1, 7, 50, 2002, 2003, 5000} {
		var got []hot.Item
		var after *hot.Item
		for {
			page, err := s.Top(ctx, "u", after, size)
			s.must(err)
			if len(page) > size {
				t.Fatalf("a page of %d holds %d", size, len(page))
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			after = &page[len(page)-1]
			if len(got) > len(all) {
				break
			}
		}
		if diff := cmp.Diff(all, got); diff != "" {
			t.Fatalf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
}

func pageAfterAny(_ *testing.T, s *subject) {
	s.have("u", item("d", 9), item("c", 5), item("a", 5), item("b", 2))
	for _, c := range []struct {
		after hot.Item
		want  []hot.Item
	}{
		{item("x", math.MaxInt64), []hot.Item{item("d", 9), item("c", 5)}},
		{item("d", 9), []hot.Item{item("c", 5), item("a", 5)}},
		{item("", 9), []hot.Item{item("c", 5), item("a", 5)}}, // moved up since
		{item("zz", 5), []hot.Item{item("c", 5), item("a", 5)}},
		{item("b", 5), []hot.Item{item("a", 5), item("b", 2)}},
		{item("a", 5), []hot.Item{item("b", 2)}},
		{item("x", 3), []hot.Item{item("b", 2)}},
		{item("b", 2), nil},
		{item("x", 0), nil},
		{item("x", math.MinInt64), nil},
	} {
		s.wantPage("u", &c.after, 2, c.want...)
	}
	s.have("empty")
	s.wantPage("empty", &hot.Item{Member: "a", Score: 5}, 2)
}

func limitBelowOne(_ *testing.T, s *subject) {
	s.have("u", item("a", 1))
	s.wantPage("u", nil, 0)
	s.wantPage("u", nil, -1)
	s.wantPage("u", nil, math.MinInt)
	s.wantPage("u", nil, math.MaxInt, item("a", 1))
}
