//go:build !linux

package doctor

import "os"

func datasync(f *os.File) error { return f.Sync() }

func unsynchronised() string { return "whether it is kept in step is not known on this system" }

func filesystem(string) Finding {
	return found("filesystem", Doubt, "which one is not known on this system")
}
