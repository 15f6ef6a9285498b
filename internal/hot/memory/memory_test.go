package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/hot/hottest"
	"github.com/merchantim/merchantim/internal/hot/memory"
)

var ctx = context.Background()

func TestContract(t *testing.T) {
	hottest.Run(t, func(*testing.T) hot.Recents { return memory.New(memory.Options{}) })
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// list is n items in no order of use to anyone.
func list(n int) []hot.Item {
	items := make([]hot.Item, n)
	for i := range items {
		k := i * 7919 % n
		items[i] = hot.Item{Member: fmt.Sprintf("member %09d", k), Score: int64(k)}
	}
	return items
}

func have(tb testing.TB, e *memory.Engine, set string, n int) {
	tb.Helper()
	must(tb, e.Begin(ctx, set))
	must(tb, e.Fill(ctx, set, list(n)))
}

// there tells whether a complete set is there, by using it.
func there(t *testing.T, e *memory.Engine, set string) bool {
	t.Helper()
	_, err := e.Top(ctx, set, nil, 1)
	if err != nil && !errors.Is(err, hot.ErrNotFilled) {
		t.Fatal(err)
	}
	return err == nil
}

func wantThere(t *testing.T, e *memory.Engine, want map[string]bool) {
	t.Helper()
	for set, w := range want {
		if got := there(t, e, set); got != w {
			t.Errorf("set %s is there: %v, want %v", set, got, w)
		}
	}
}

func TestTheLeastRecentlyUsedSetGoesFirst(t *testing.T) {
	e := memory.New(memory.Options{MaxSets: 3})
	have(t, e, "a", 1)
	have(t, e, "b", 1)
	have(t, e, "c", 1)
	there(t, e, "a")
	must(t, e.Begin(ctx, "b"))
	have(t, e, "d", 1)
	wantThere(t, e, map[string]bool{"a": true, "b": true, "c": false, "d": true})
}

func TestTouchKeepsOnlyWhatIsRead(t *testing.T) {
	e := memory.New(memory.Options{MaxSets: 2})
	have(t, e, "read", 1)
	there(t, e, "read")
	have(t, e, "unread", 1)
	must(t, e.Touch(ctx, "unread", hot.Item{Member: "x", Score: 1}))
	must(t, e.Touch(ctx, "read", hot.Item{Member: "x", Score: 1}))
	must(t, e.Touch(ctx, "unread", hot.Item{Member: "y", Score: 1}))
	have(t, e, "new", 1)
	wantThere(t, e, map[string]bool{"read": true, "unread": false, "new": true})
}

func TestItemsOfAllSetsAreBounded(t *testing.T) {
	e := memory.New(memory.Options{MaxItems: 100})
	have(t, e, "a", 40)
	have(t, e, "b", 40)
	have(t, e, "c", 20)
	must(t, e.Fill(ctx, "b", list(40))) // nothing new
	wantThere(t, e, map[string]bool{"a": true, "b": true, "c": true})
	there(t, e, "b")
	there(t, e, "c")
	must(t, e.Touch(ctx, "c", hot.Item{Member: "one more", Score: 1}))
	wantThere(t, e, map[string]bool{"a": false, "b": true, "c": true})

	must(t, e.Forget(ctx, "b")) // its room is free again
	have(t, e, "d", 79)
	wantThere(t, e, map[string]bool{"c": true, "d": true})
}

func TestTouchesOfAFillingSetAreBounded(t *testing.T) {
	e := memory.New(memory.Options{MaxItems: 100})
	must(t, e.Begin(ctx, "filling"))
	have(t, e, "a", 10)
	for _, it := range list(100) {
		must(t, e.Touch(ctx, "filling", it))
	}
	if err := e.Fill(ctx, "filling", nil); !errors.Is(err, hot.ErrNotFilled) {
		t.Errorf("fill of a set that should be forgotten: %v", err)
	}
	wantThere(t, e, map[string]bool{"a": true})
}

func TestASetLargerThanTheBoundIsServedAlone(t *testing.T) {
	e := memory.New(memory.Options{MaxItems: 100})
	have(t, e, "a", 10)
	have(t, e, "large", 1000)
	must(t, e.Touch(ctx, "large", hot.Item{Member: "one more", Score: 5000}))
	got, err := e.Top(ctx, "large", nil, 2000)
	must(t, err)
	if len(got) != 1001 {
		t.Errorf("the large set has %d items, want 1001", len(got))
	}
	wantThere(t, e, map[string]bool{"a": false, "large": true})
	have(t, e, "b", 10)
	wantThere(t, e, map[string]bool{"large": false, "b": true})
}

func TestTouchOfAnAbsentSetAllocatesNothing(t *testing.T) {
	e := memory.New(memory.Options{})
	it := hot.Item{Member: "m", Score: 1}
	if n := testing.AllocsPerRun(100, func() { _ = e.Touch(ctx, "absent", it) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
