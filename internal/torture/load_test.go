package torture

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/internal/torture/check"
	"github.com/merchantim/merchantim/internal/torture/load"
	"github.com/merchantim/merchantim/internal/torture/read"
	"github.com/merchantim/merchantim/internal/torture/trail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rehearse lets the load loose on a server of this process, cuts its links a
// few times and checks.
func rehearse(t *testing.T, s *flawless) check.Verdict {
	t.Helper()
	srv := httptest.NewServer(s)
	defer srv.Close()
	addr := strings.TrimPrefix(srv.URL, "http://")
	dir, clock, cast, rooms := t.TempDir(), trail.NewClock(), load.Cast(1, 7), load.NewRooms()
	for i := range cast {
		cast[i].Token = "token of " + cast[i].Name
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // owned by ctx; load.Run below outlasts it
		for range 3 {
			time.Sleep(500 * time.Millisecond)
			s.cut()
		}
		cancel()
	}()
	stats, err := load.Run(ctx, load.Config{Addr: addr, Dir: dir, Seed: 1, Rate: 600, Window: 8, Clock: clock}, cast, rooms)
	if err != nil || stats.Stalls > 0 {
		t.Fatalf("load: %+v %v", stats, err)
	}
	state, err := read.State(t.Context(), addr, dir, cast, rooms, clock)
	if err != nil {
		t.Fatal(err)
	}
	state.Large = largeSize
	v, err := check.Run(trailsIn(t, dir), state)
	if err != nil {
		t.Fatal(err)
	}
	if stats.Recovered == 0 || stats.Groups == 0 {
		t.Fatalf("the groups did nothing: %+v %+v", stats, v)
	}
	if v.Acked == 0 || v.Refused == 0 || v.Pushed == 0 {
		t.Fatalf("the load did nothing: %+v", v)
	}
	return v
}

func trailsIn(t *testing.T, dir string) []check.Trail {
	t.Helper()
	all, err := trails(dir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRehearsalIsClean(t *testing.T) {
	v := rehearse(t, newFlawless())
	if !v.Clean() {
		t.Fatalf("%v\n%v", v.Counts, v.Findings)
	}
}

func TestRehearsalWithoutDedupe(t *testing.T) {
	s := newFlawless()
	s.forget = true
	if v := rehearse(t, s); v.Counts[check.Duplicated] == 0 {
		t.Fatalf("%v\n%v", v.Counts, v.Findings)
	}
}
