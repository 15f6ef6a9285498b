// Package hottest is the contract of hot as a test suite. Every engine passes it.
package hottest

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/merchantim/merchantim/internal/hot"
)

// Run tests an engine. open returns an empty one with room for at least 100
// sets and 10,000 items, and closes it with t.Cleanup if it needs closing: the
// suite holds that nothing is forgotten within that room.
func Run(t *testing.T, open func(t *testing.T) hot.Recents) {
	RunSmall(t, open)
	t.Run("pages follow without holes", func(t *testing.T) { pagesFollow(t, &subject{t: t, Recents: open(t)}) })
}

// RunSmall is Run without a story of thousands of calls on thousands of items,
// for an engine that is a stand-in of its server. It proves less.
func RunSmall(t *testing.T, open func(t *testing.T) hot.Recents) {
	stories := []struct {
		name string
		tell func(t *testing.T, s *subject)
	}{
		{"an absent set gives nothing and takes nothing", absentTakesNothing},
		{"a filling set gives nothing yet", fillingGivesNothing},
		{"an empty set can be complete", emptyIsComplete},
		{"Fill without Begin is refused", fillNeedsBegin},
		{"touches between Begin and Fill are kept", touchesWhileFilling},
		{"Begin changes nothing that is there", beginAgain},
		{"Fill of a complete set adds", fillAgain},
		{"Fill takes any order and repeated members", fillIsUntidy},
		{"Fill leaves the items to the caller", fillCopies},
		{"Top returns a copy", topCopies},
		{"Forget drops a set", forgetDrops},
		{"sets do not leak", setsDoNotLeak},
		{"a cancelled call does nothing", cancelledDoesNothing},
		{"the highest score comes first", orderByScore},
		{"ties go by member, descending", orderOfTies},
		{"Touch raises and never lowers", touchRaises},
		{"scores are exact to the limit", scoresAreExact},
		{"members are any bytes", membersAreBytes},
		{"a page begins after any item", pageAfterAny},
		{"a limit below one gives none", limitBelowOne},
		{"many touch at once", manyTouch},
		{"a set filled under way misses nothing", fillUnderWay},
	}
	for _, st := range stories {
		t.Run(st.name, func(t *testing.T) { st.tell(t, &subject{t: t, Recents: open(t)}) })
	}
	t.Run("behaves as a sorted map", func(t *testing.T) { behavesAsAMap(t, open(t)) })
}

var ctx = context.Background()

type subject struct {
	t *testing.T
	hot.Recents
}

func item(member string, score int64) hot.Item { return hot.Item{Member: member, Score: score} }

func (s *subject) touch(set string, items ...hot.Item) {
	s.t.Helper()
	for _, it := range items {
		s.must(s.Touch(ctx, set, it))
	}
}

func (s *subject) begin(set string) {
	s.t.Helper()
	s.must(s.Begin(ctx, set))
}

func (s *subject) fill(set string, items ...hot.Item) {
	s.t.Helper()
	s.must(s.Fill(ctx, set, items))
}

// have makes a complete set.
func (s *subject) have(set string, items ...hot.Item) {
	s.t.Helper()
	s.begin(set)
	s.fill(set, items...)
}

func (s *subject) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *subject) want(set string, items ...hot.Item) {
	s.t.Helper()
	s.wantPage(set, nil, 1000, items...)
}

func (s *subject) wantPage(set string, after *hot.Item, limit int, items ...hot.Item) {
	s.t.Helper()
	got, err := s.Top(ctx, set, after, limit)
	s.must(err)
	if diff := cmp.Diff(items, got, cmpopts.EquateEmpty()); diff != "" {
		s.t.Fatalf("top %d of %q after %v (-want +got):\n%s", limit, set, after, diff)
	}
}

func (s *subject) wantNotFilled(set string) {
	s.t.Helper()
	if got, err := s.Top(ctx, set, nil, 10); !errors.Is(err, hot.ErrNotFilled) || len(got) != 0 {
		s.t.Fatalf("top of %q gives %v, %v; want ErrNotFilled", set, got, err)
	}
}
