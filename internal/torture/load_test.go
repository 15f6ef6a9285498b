package torture

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

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
	go func() { // owned by ctx; Run below outlasts it
		for cuts := range 3 {
			s.busy(cuts + 1)
			s.cut()
			srv.CloseClientConnections()
		}
		cancel()
	}()
	l, err := load.New(load.Config{Addr: addr, Dir: dir, Seed: 1, Rate: 1000, Window: 8, Clock: clock}, cast, rooms)
	if err != nil {
		t.Fatal(err)
	}
	l.Run(ctx)
	state, err := read.State(t.Context(), addr, dir, cast, rooms, clock)
	if err != nil {
		t.Fatal(err)
	}
	l.Settle(t.Context())
	stats := l.Stats()
	if err := l.Close(); err != nil || stats.Stalls > 0 {
		t.Fatalf("load: %+v %v", stats, err)
	}
	state.Large = largeSize
	v, err := check.Run(trailsIn(t, dir), state)
	if err != nil {
		t.Fatal(err)
	}
	if stats.ShortLinks == 0 || stats.Settled != len(trailsIn(t, dir))-len(cast) {
		t.Fatalf("no link was changed, or not all settled: %+v", stats)
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

// What the long link took is taken again by the short one, which shows that
// clients repeat across links.
func TestRehearsalWithShortLinkThatForgets(t *testing.T) {
	s := newFlawless()
	s.forgetful = true
	if v := rehearse(t, s); v.Counts[check.Duplicated] == 0 {
		t.Fatalf("%v\n%v", v.Counts, v.Findings)
	}
}

// A row that a later list leaves out is missed by who follows the versions alone.
func TestRehearsalWithHiddenRows(t *testing.T) {
	s := newFlawless()
	s.hides = true
	if v := rehearse(t, s); v.Counts[check.UnreadMismatch] == 0 {
		t.Fatalf("%v\n%v", v.Counts, v.Findings)
	}
}
