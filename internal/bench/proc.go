package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc: USER_HZ, which Linux fixes at 100.
const clockTick = 10 * time.Millisecond

// cpuOf returns the CPU time of a process so far, user and system.
func cpuOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(b)
}

// parseStat reads utime and stime (fields 14 and 15) of /proc/PID/stat. The
// command, field 2, may hold spaces and brackets.
func parseStat(b []byte) (time.Duration, error) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return 0, fmt.Errorf("/proc/PID/stat: %q", b)
	}
	fields := strings.Fields(string(b[i+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/PID/stat: %d fields", len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/PID/stat: utime: %w", err)
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/PID/stat: stime: %w", err)
	}
	return time.Duration(user+system) * clockTick, nil
}

// memoryOf returns the resident bytes of a process, now and at their peak.
func memoryOf(pid int) (now, peak int64, err error) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	if now, err = procField(b, "VmRSS"); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	if peak, err = procField(b, "VmHWM"); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	return now * 1024, peak * 1024, nil
}

// writtenBy returns the bytes that a process caused to be written to storage.
func writtenBy(pid int) (int64, error) {
	path := fmt.Sprintf("/proc/%d/io", pid)
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	n, err := procField(b, "write_bytes")
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

// procField reads a "name: number unit" line.
func procField(b []byte, name string) (int64, error) {
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		if key != name {
			continue
		}
		fields := strings.Fields(value)
		if len(fields) == 0 {
			return 0, fmt.Errorf("%s is empty", name)
		}
		return strconv.ParseInt(fields[0], 10, 64)
	}
	return 0, fmt.Errorf("no %s", name)
}

// cpuShares is a reading of the whole machine's CPU time, in ticks. busy is
// what its own processes and kernel used.
type cpuShares struct{ total, busy, steal int64 }

func machineCPU() (cpuShares, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpuShares{}, err
	}
	return parseMachineCPU(b)
}

// parseMachineCPU reads the cpu line of /proc/stat: user nice system idle
// iowait irq softirq steal. guest and guest_nice, which follow, are in user.
func parseMachineCPU(b []byte) (s cpuShares, err error) {
	line, _, _ := strings.Cut(string(b), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return s, fmt.Errorf("/proc/stat: %q", line)
	}
	for i, f := range fields[1:9] {
		v, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return s, fmt.Errorf("/proc/stat: %w", err)
		}
		s.total += v
		switch i {
		case 3, 4: // idle, waiting for a disk
		case 7:
			s.steal = v
		default:
			s.busy += v
		}
	}
	return s, nil
}

// stealSince returns the share (0 to 1) of time that other guests of the host took.
func (s cpuShares) stealSince(before cpuShares) float64 {
	if s.total <= before.total {
		return 0
	}
	return float64(s.steal-before.steal) / float64(s.total-before.total)
}

// othersSince returns the share (0 to 1) of time that processes of this machine
// took other than those that used the CPU time ours.
func (s cpuShares) othersSince(before cpuShares, ours time.Duration) float64 {
	if s.total <= before.total {
		return 0
	}
	others := s.busy - before.busy - int64(ours/clockTick)
	return float64(max(others, 0)) / float64(s.total-before.total)
}
