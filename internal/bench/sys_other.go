//go:build !linux

package bench

import (
	"errors"
	"os"
	"os/exec"
	"time"
)

// Away from Linux the package builds and refuses to measure: the figures come
// from /proc.
var errNotLinux = errors.New("bench measures on Linux only")

func sleepKernel(d time.Duration)           { time.Sleep(d) }
func dieWithParent(*exec.Cmd)               {}
func preallocate(f *os.File, n int64) error { return errNotLinux }
func syncData(f *os.File) error             { return errNotLinux }
func inMemory(dir string) (bool, error)     { return false, errNotLinux }
func ownCPU() time.Duration                 { return 0 }
func openFiles() uint64                     { return 0 }
