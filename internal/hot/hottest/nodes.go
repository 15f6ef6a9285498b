package hottest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/merchantim/merchantim/internal/hot"
)

// Pass lets an engine's time go on: by a clock of the test, or by waiting.
type Pass func(d time.Duration)

// The suites only rely on time having passed, never on its not having: what
// must still be there has an hour.
const (
	short = 50 * time.Millisecond
	long  = time.Hour
)

// RunRoutes tests an engine of hot.Routes; open returns an empty one.
func RunRoutes(t *testing.T, open func(t *testing.T) (hot.Routes, Pass)) {
	r, pass := open(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	where := func(users []string, want ...[]string) {
		t.Helper()
		got, err := r.Where(ctx, users)
		must(err)
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("where %q (-want +got):\n%s", users, d)
		}
	}
	where([]string{"alice"}, nil)
	where(nil)
	must(r.Enter(ctx, "n2", []string{"alice", "bob", ""}, long))
	must(r.Enter(ctx, "n1", []string{"alice", "}{\x00\xff"}, long))
	must(r.Enter(ctx, "n1", nil, long))
	where([]string{"alice", "carol", "bob", "}{\x00\xff", "", "alice"},
		[]string{"n1", "n2"}, nil, []string{"n2"}, []string{"n1"}, []string{"n2"}, []string{"n1", "n2"})
	must(r.Leave(ctx, "n2", "alice"))
	must(r.Leave(ctx, "n9", "alice"))
	must(r.Leave(ctx, "n1", "nobody"))
	where([]string{"alice", "bob"}, []string{"n1"}, []string{"n2"})

	must(r.Enter(ctx, "dying", []string{"alice", "dan"}, short))
	must(r.Enter(ctx, "renewed", []string{"dan"}, short))
	must(r.Enter(ctx, "renewed", []string{"dan"}, long))
	pass(2 * short)
	where([]string{"alice", "dan"}, []string{"n1"}, []string{"renewed"})
	must(r.Enter(ctx, "n1", []string{"alice"}, short)) // shorter than before
	pass(2 * short)
	where([]string{"alice", "dan"}, nil, []string{"renewed"})

	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err := r.Where(gone, []string{"bob"})
	for call, err := range map[string]error{
		"where": err, "enter": r.Enter(gone, "x", []string{"bob"}, long), "leave": r.Leave(gone, "n2", "bob"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", call, err)
		}
	}
	where([]string{"bob"}, []string{"n2"})
}

// RunPosts tests an engine of hot.Posts.
func RunPosts(t *testing.T, p hot.Posts) {
	const messages = 200
	if err := p.Post(ctx, "n1", []byte("nobody listens")); err != nil {
		t.Fatal(err)
	}
	listening, cancel := context.WithCancel(ctx)
	defer cancel()
	var ready, all, listeners sync.WaitGroup
	heard := make([][]string, 3)
	for i, node := range []string{"n1", "n2", "n1"} {
		ready.Add(1)
		all.Add(1)
		var first, full sync.Once
		listeners.Go(func() {
			err := p.Listen(listening, node, func() { first.Do(ready.Done) }, func(m []byte) {
				heard[i] = append(heard[i], string(m))
				if len(heard[i]) == messages {
					full.Do(all.Done)
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	ready.Wait()
	want := map[string][]string{}
	for i := range messages {
		for _, node := range []string{"n1", "n2"} {
			m := fmt.Sprintf("%s \x00\xff %d", node, i)
			want[node] = append(want[node], m)
			if err := p.Post(ctx, node, []byte(m)); err != nil {
				t.Fatal(err)
			}
		}
	}
	all.Wait()
	cancel()
	listeners.Wait()
	for i, node := range []string{"n1", "n2", "n1"} {
		if d := cmp.Diff(want[node], heard[i]); d != "" {
			t.Errorf("listener %d of %s (-want +got):\n%s", i, node, d)
		}
	}
	if err := p.Post(ctx, "n1", []byte("all are gone")); err != nil {
		t.Fatal(err)
	}
}

// RunRates tests an engine of hot.Rates; open returns an empty one.
func RunRates(t *testing.T, open func(t *testing.T) (hot.Rates, Pass)) {
	r, pass := open(t)
	take := func(key string, rate hot.Rate, n int) time.Duration {
		t.Helper()
		wait, err := r.Take(ctx, key, rate, n)
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	slow := hot.Rate{Every: time.Hour, Burst: 3}
	for i := range 3 {
		if w := take("a", slow, 1); w != 0 {
			t.Fatalf("token %d of 3: wait %v", i, w)
		}
	}
	if w := take("a", slow, 1); w <= 0 || w > time.Hour {
		t.Fatalf("the fourth of 3: wait %v", w)
	}
	if w := take("a", slow, 2); w <= time.Hour || w > 2*time.Hour {
		t.Fatalf("two more: wait %v", w)
	}
	if w := take("}{\x00", slow, 99); w != 0 {
		t.Fatalf("more than all of another key: wait %v", w)
	}
	if w := take("}{\x00", slow, 99); w <= 2*time.Hour || w > 3*time.Hour {
		t.Fatalf("all of an empty bucket: wait %v", w)
	}
	quick := hot.Rate{Every: short, Burst: 1}
	for range 3 {
		for take("q", quick, 1) > 0 { // refused, until it is there
			pass(2 * short)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := r.Take(gone, "a", slow, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
	shared(t, r)
}

// shared lets many take of one bucket at once: it gives its burst, no more.
func shared(t *testing.T, r hot.Rates) {
	const takers, each = 8, 20
	slow := hot.Rate{Every: time.Hour, Burst: 50}
	got := make([]int, takers)
	var all sync.WaitGroup
	for i := range takers {
		all.Go(func() {
			for range each {
				wait, err := r.Take(ctx, "shared", slow, 1)
				if err != nil {
					t.Error(err)
				} else if wait == 0 {
					got[i]++
				}
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range got {
		sum += n
	}
	if sum != slow.Burst {
		t.Errorf("%d tokens of a burst of %d", sum, slow.Burst)
	}
}
