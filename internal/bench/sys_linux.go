package bench

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

// sleepKernel sleeps in the kernel, blocking the thread.
func sleepKernel(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil) // woken early by a signal is as good
}

// dieWithParent makes a child end when the thread that started it ends, so that
// a killed bench leaves no server behind.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// preallocate reserves a file's space, as the journal does.
func preallocate(f *os.File, size int64) error {
	return syscall.Fallocate(int(f.Fd()), 0, 0, size)
}

// syncData makes a file's data durable, not its times.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// Magic numbers of statfs(2).
const (
	tmpfsMagic = 0x01021994
	ramfsMagic = 0x858458f6
)

// inMemory reports whether a folder's file system keeps its files in memory.
func inMemory(dir string) (bool, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return false, err
	}
	return uint32(st.Type) == tmpfsMagic || uint32(st.Type) == ramfsMagic, nil
}

// ownCPU is the CPU time of this process so far, user and system.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// openFiles is how many files a process may open; Go raises the soft limit to
// the hard one when a program starts.
func openFiles() uint64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return l.Max
}
