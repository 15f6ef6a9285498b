package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Machine is where a report was measured.
type Machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	Kernel     string `json:"kernel"`
	MemoryMB   int64  `json:"memory_mb"`
	FileSystem string `json:"file_system"` // of the data folder: type and device
	Go         string `json:"go"`
}

func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %d MB, Linux %s, %s, %s", m.CPU, m.Cores, m.MemoryMB, m.Kernel, m.FileSystem, m.Go)
}

// thisMachine describes the machine; what it cannot find out is "unknown".
func thisMachine(dataRoot string) Machine {
	m := Machine{CPU: "unknown", Cores: runtime.NumCPU(), Kernel: "unknown", FileSystem: "unknown", Go: runtime.Version()}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if name := cpuModel(string(b)); name != "" {
			m.CPU = name
		}
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(b))
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if kb, err := procField(b, "MemTotal"); err == nil {
			m.MemoryMB = kb / 1000
		}
	}
	dir, err := filepath.Abs(dataRoot)
	if err != nil {
		return m
	}
	if b, err := os.ReadFile("/proc/self/mounts"); err == nil {
		if fs := fileSystemOf(string(b), dir); fs != "" {
			m.FileSystem = fs
		}
	}
	return m
}

func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// fileSystemOf returns type and device of the longest mount point above dir.
func fileSystemOf(mounts, dir string) string {
	best, found := "", ""
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < len(best) {
			continue
		}
		if f[1] == "/" || f[1] == dir || strings.HasPrefix(dir, f[1]+"/") {
			best, found = f[1], f[2]+" on "+f[0]
		}
	}
	return found
}
