package bench

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"
)

// The scenarios against the real server in a process of its own, with numbers
// so small that their figures mean nothing: what is checked is that every
// message came through, and that the report has what it promises.
func tinyRunner(t *testing.T, size int) (*runner, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	r, err := newRunner(Options{
		DataRoot: diskFolder(t), Runs: 1, Repeats: 1, Window: 300 * time.Millisecond, Probe: time.Second,
		Users: 10, K: []int{8}, Size: size, Seed: 5, MaxSteal: 1, Duration: 1500 * time.Millisecond,
	}, &out)
	if err != nil {
		t.Fatal(err)
	}
	return r, &out
}

// diskFolder is a folder that is not in memory: the server's durability is part
// of what is measured, so the scenarios refuse others.
func diskFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(".", "testdata-run-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestScenariosAgainstTheServer(t *testing.T) {
	for _, c := range []struct {
		name    string
		size    int
		run     func(context.Context, *runner, *Report) error
		figures []string
		bars    int
	}{
		{"group", 60, groupScenario, []string{"of_60_acked_per_s", "of_60_delivered_per_s", "of_60_echo_k8_per_s", "of_60_delivery_p99_ms"}, 1},
		{"idle", 30, idleScenario, []string{"links", "full_mb", "sign_in_per_s"}, 1},
		{"login", 450, loginScenario, []string{"build_s", "cold_first_ms", "cold_whole_ms", "warm_whole_ms"}, 2},
		{"catchup", 1200, catchUpScenario, []string{"build_s", "cold_first_ms", "cold_whole_ms", "warm_whole_ms"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, out := tinyRunner(t, c.size)
			rep := newReport(c.name)
			if err := c.run(t.Context(), r, rep); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, name := range c.figures {
				if _, ok := rep.Figures[name]; !ok {
					t.Errorf("%s is missing", name)
				}
			}
			if len(rep.Bars) != c.bars {
				t.Errorf("bars %v", rep.Bars)
			}
		})
	}
}

// A large group's messages come without a place in the inbox; the pong's heads
// tell the newest (M65, X2).
func TestALargeGroupAgainstTheServer(t *testing.T) {
	r, out := tinyRunner(t, groupLarge+5)
	p := r.group(r.Size)
	if !p.shape.large {
		t.Fatal("it is not large")
	}
	if _, err := r.run(t.Context(), "large", false, p); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestAFloodAgainstTheServer(t *testing.T) {
	r, out := tinyRunner(t, 0)
	rep := newReport("overload")
	err := r.serving(t.Context(), func(target *target) error {
		tr, p, err := r.flood(t.Context(), target, 100, rep)
		if err == nil && tr.span(0, p.end.at+1e6).offered.Load() == 0 {
			t.Error("nothing was offered")
		}
		return err
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
