package pipeline

import "testing"

// A server that became busy stays so until it has caught up: what is behind is
// no longer in memory, and it would else never be again.
func TestABusyServerCatchesUpBeforeItTakesMore(t *testing.T) {
	const maxLag = 20_000
	var a Accept
	for i, s := range []struct {
		lag  int64
		full bool
		want bool
	}{
		{0, false, false}, {maxLag, false, false}, {maxLag + 1, false, true},
		{maxLag, false, true}, {maxLag/relief + 1, false, true}, {maxLag / relief, false, false},
		{maxLag, false, false}, {0, true, true}, {maxLag / 2, false, true}, {0, false, false},
	} {
		a.weigh(s.lag, maxLag, s.full)
		if got := a.busy.Load(); got != s.want {
			t.Fatalf("step %d, %d behind: busy is %v", i, s.lag, got)
		}
	}
}
