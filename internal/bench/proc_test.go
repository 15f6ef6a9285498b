package bench

import (
	"strings"
	"testing"
	"time"
)

func TestParseStatReadsPastAnyCommandName(t *testing.T) {
	line := "42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 250 75 0 0 20 0 9 0 100 1 2"
	got, err := parseStat([]byte(line))
	if err != nil || got != 3250*time.Millisecond {
		t.Errorf("%v, %v; want 3.25s", got, err)
	}
	for _, bad := range []string{"", "42 (x", "42 (x) S 1 2", "42 (x) S 1 42 42 0 -1 4194304 100 0 0 0 x 75 0"} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}

func TestProcFields(t *testing.T) {
	status := []byte("Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t 1024 kB\nEmpty:\n")
	if got, err := procField(status, "VmRSS"); err != nil || got != 1024 {
		t.Errorf("VmRSS: %d, %v", got, err)
	}
	for _, name := range []string{"Vm", "Empty", "Name"} {
		if got, err := procField(status, name); err == nil {
			t.Errorf("%s was read as %d", name, got)
		}
	}
}

func TestStealAndOthersAreSharesOfTheWholeTime(t *testing.T) {
	before, err := parseMachineCPU([]byte("cpu  100 0 50 800 10 0 5 35 7 0\ncpu0 1 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	after, err := parseMachineCPU([]byte("cpu  200 0 100 1600 20 0 15 65 7 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := after.stealSince(before); got != 0.03 {
		t.Errorf("steal %v, want 30 of 1000 ticks", got)
	}
	if got := after.othersSince(before, 600*time.Millisecond); got != 0.1 {
		t.Errorf("others %v, want 160 busy less our 60 of 1000 ticks", got)
	}
	if before.stealSince(before) != 0 || before.othersSince(before, 0) != 0 {
		t.Error("no time, yet a share")
	}
	for _, bad := range []string{"", "cpu 1 2 3", "cpux 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 7 x"} {
		if _, err := parseMachineCPU([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestBacklogIsTheSumOfStagesAndMustBeThere(t *testing.T) {
	text := `# HELP merchantim_stage_lag records
# TYPE merchantim_stage_lag gauge
merchantim_stage_lag{stage="single"} 2
merchantim_stage_lag{stage="a } b"} 1.5e+01
merchantim_stage_lag_total 99
merchantim_store_pending_bytes 4096

other{x="y"} 7
`
	got, err := parseBacklog(strings.NewReader(text))
	if err != nil || got.lag != 17 || got.pending != 4096 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, lacking := range []string{"", "merchantim_stage_lag{stage=\"x\"} 0\n", "merchantim_store_pending_bytes 0\n", "merchantim_stage_lag{ 0\n"} {
		if got, err := parseBacklog(strings.NewReader(lacking)); err == nil {
			t.Errorf("%q was taken for a drained server: %+v", lacking, got)
		}
	}
}

func TestTheMachineIsDescribed(t *testing.T) {
	mounts := "/dev/a / ext4 rw 0 0\nproc /proc proc rw 0 0\n/dev/b /data xfs rw 0 0\ntmpfs /data/tmp tmpfs rw 0 0\n"
	for dir, want := range map[string]string{
		"/data/bench": "xfs on /dev/b", "/data": "xfs on /dev/b", "/database": "ext4 on /dev/a", "/data/tmp/x": "tmpfs on tmpfs",
	} {
		if got := fileSystemOf(mounts, dir); got != want {
			t.Errorf("%s is on %q, want %q", dir, got, want)
		}
	}
	if got := cpuModel("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"); got != "Some CPU @ 2 GHz" {
		t.Errorf("model %q", got)
	}
}
