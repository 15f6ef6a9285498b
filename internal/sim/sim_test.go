package sim_test

import (
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/merchantim/merchantim/internal/sim"
)

var (
	seeds = flag.Int("sim.seeds", 0, "how many histories are tried; 0: as many as suit the kind of test")
	seed  = flag.Uint64("sim.seed", 0, "the first history")
	steps = flag.String("sim.steps", "", "numbers of the steps that are done, with commas; only with one seed")
)

// usual is how many seeds a test run tries.
func usual() int {
	switch {
	case *seeds > 0:
		return *seeds
	case *steps != "":
		return 1
	case raceEnabled || testing.Short():
		return 60
	}
	return 1000
}

// Whatever goes wrong, in whatever order: what was answered or pushed stays
// true, and what follows from the log follows (M55, X1–X3).
func TestSeeds(t *testing.T) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < int64(usual()) && !t.Failed(); n = next.Add(1) - 1 {
				h := sim.History{Seed: *seed + uint64(n), Steps: chosen(t)}
				if out := sim.Run(h); out.Err != nil {
					report(t, h)
				}
			}
		})
	}
	workers.Wait()
}

func chosen(t *testing.T) (ids []int) {
	t.Helper()
	if *steps == "" {
		return nil
	}
	for _, s := range strings.Split(*steps, ",") {
		id, err := strconv.Atoi(s)
		if err != nil {
			t.Error(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// report tells the shortest history that fails, and how to see it again.
func report(t *testing.T, h sim.History) {
	t.Helper()
	less, out := sim.Shrink(h, 2000)
	ids := strings.Trim(strings.ReplaceAll(fmt.Sprint(less.Steps), " ", ","), "[]")
	if ids == "" {
		ids = "0"
	}
	t.Errorf("seed %d: %v\n%s\nagain: go test ./internal/sim -run TestSeeds -sim.seed=%d -sim.steps=%s",
		h.Seed, out.Err, strings.Join(out.Story, "\n"), h.Seed, ids)
}

// A history is the same each time it is lived through.
func TestReplay(t *testing.T) {
	for n := range uint64(40) {
		h := sim.History{Seed: *seed + n}
		if a, b := sim.Run(h), sim.Run(h); a.Digest != b.Digest {
			for i := range a.Story {
				if i >= len(b.Story) || a.Story[i] != b.Story[i] {
					t.Fatalf("seed %d differs at %d: %q", h.Seed, i, a.Story[i])
				}
			}
			t.Fatalf("seed %d is longer", h.Seed)
		}
	}
}

// Engines that break their promises are found out, and the history that shows
// it becomes short.
func TestFlawsAreFound(t *testing.T) {
	for _, flaw := range []sim.Flaw{sim.Forgetful, sim.Hasty, sim.Unreliable, sim.Disobedient} {
		found := false
		for n := uint64(0); n < 300 && !found; n++ {
			h := sim.History{Seed: n, Flaw: flaw}
			whole := sim.Run(h)
			if whole.Err == nil {
				continue
			}
			found = true
			less, out := sim.Shrink(h, 400)
			if out.Err == nil || len(less.Steps) > len(whole.Steps)/2 {
				t.Errorf("flaw %d: %d of %d steps are left: %v", flaw, len(less.Steps), len(whole.Steps), out.Err)
			}
			if again := sim.Run(less); again.Digest != out.Digest {
				t.Errorf("flaw %d: the short history is another one each time", flaw)
			}
			t.Logf("flaw %d, seed %d: %d of %d steps: %v", flaw, n, len(less.Steps), len(whole.Steps), out.Err)
		}
		if !found {
			t.Errorf("flaw %d is not found", flaw)
		}
	}
}
