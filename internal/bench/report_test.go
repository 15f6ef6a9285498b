package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestAReportEndsInOneLineOfJSON(t *testing.T) {
	rep := newReport("pairs")
	rep.figure("k8_acked_per_s", 65432.1)
	rep.atLeast("acked against echo", 1.23456, 0.8)
	rep.atMost("cpu against echo", 1.49, 1.5)
	if err := rep.finish(nil); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := errors.Join(rep.table(&out), rep.line(&out)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	var got Report
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	if got.Scenario != "pairs" || got.Figures["k8_acked_per_s"] != 65432 || got.Exit != ExitHolds {
		t.Errorf("%+v", got)
	}
	want := []Bar{{"acked against echo", 1.235, ">=", 0.8, true}, {"cpu against echo", 1.49, "<=", 1.5, true}}
	if len(got.Bars) != 2 || got.Bars[0] != want[0] || got.Bars[1] != want[1] {
		t.Errorf("bars %+v, want %+v", got.Bars, want)
	}
}

func TestTheExitCodeTellsWhoFailed(t *testing.T) {
	missed := func(rep *Report) { rep.atMost("p99", 11, 10) }
	for _, c := range []struct {
		story string
		bar   func(*Report)
		err   error
		want  int
	}{
		{"all well", func(*Report) {}, nil, ExitHolds},
		{"a bar missed", missed, nil, ExitProduct},
		{"messages lost", func(*Report) {}, product("lost"), ExitProduct},
		{"a disturbed machine", func(*Report) {}, harness("window: %w", errDisturbed), ExitHarness},
		{"a disturbed machine and a bar missed", missed, harness("steal"), ExitHarness},
		{"an error without a code", func(*Report) {}, fmt.Errorf("interrupted"), ExitHarness},
		{"wrapped", func(*Report) {}, fmt.Errorf("k=8: %w", product("closed")), ExitProduct},
	} {
		rep := newReport("x")
		c.bar(rep)
		err := rep.finish(c.err)
		if exitCode(err) != c.want || rep.Exit != c.want || (rep.Failure == "") != (c.want == ExitHolds) {
			t.Errorf("%s: exit %d, report %d %q", c.story, exitCode(err), rep.Exit, rep.Failure)
		}
	}
}

func TestMergedScenariosKeepTheirNames(t *testing.T) {
	all, part := newReport("all"), newReport("disk")
	part.figure("bytes", 700)
	part.atMost("bytes", 700, 1500)
	part.count(map[string]int64{"overloaded": 2})
	all.merge(part)
	all.merge(part)
	if all.Figures["disk.bytes"] != 700 || all.Bars[0].Name != "disk: bytes" || all.Errors["overloaded"] != 4 {
		t.Errorf("%+v", all)
	}
}

func TestRoundKeepsFourDigits(t *testing.T) {
	for in, want := range map[float64]float64{0: 0, 0.00123456: 0.001235, 1.99999: 2, 65432.1: 65432, 1234567: 1234567, -0.12345: -0.1235} {
		if got := round(in); got != want {
			t.Errorf("round(%v) = %v, want %v", in, got, want)
		}
	}
}

func TestMedianOfInterleavedRuns(t *testing.T) {
	if median(nil) != 0 || median([]float64{3}) != 3 || median([]float64{9, 1, 5}) != 5 || median([]float64{4, 1, 3, 9}) != 3.5 {
		t.Error("median")
	}
	runs := []interleaved{
		{before: result{acked: 90, delivered: 90}, product: result{acked: 88, delivered: 80}, after: result{acked: 110, delivered: 110}},
		{before: result{acked: 110, delivered: 110}, product: result{acked: 120, delivered: 121}, after: result{acked: 90, delivered: 90}},
	}
	if got := medianOf(runs, func(i interleaved) float64 { return i.against(moved) }); got != 1 {
		t.Errorf("median ratio %v, want that of 0.8 and 1.2", got)
	}
	if got := len(ceilings(runs)); got != 3 {
		t.Errorf("%d windows of the ceiling, want 3: the middle one serves both runs", got)
	}
}

// The search ends within the resolution below the server's true limit, for any
// limit, in a bounded number of windows.
func TestTheHighestRateIsFound(t *testing.T) {
	for limit := 700.0; limit < 150_000; limit *= 1.07 {
		broken := findFirst
		for broken < findLimit && broken <= limit {
			broken *= findRung
		}
		held, windows := 0.0, 0
		for rate, more := nextRate(held, broken); more; rate, more = nextRate(held, broken) {
			if windows++; windows > 25 {
				t.Fatalf("limit %.0f: no end; held %.0f, broken %.0f", limit, held, broken)
			}
			if rate <= limit {
				held = rate
			} else {
				broken = rate
			}
		}
		if held > limit || held < limit/(1+findStep)*0.999 {
			t.Errorf("limit %.0f: found %.0f", limit, held)
		}
	}
}
