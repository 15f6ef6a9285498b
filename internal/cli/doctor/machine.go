package doctor

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/merchantim/merchantim/config"
)

// Free space below which the server soon refuses work, and below which someone
// should look. A busy day writes tens of GiB.
const (
	leastSpace  = 512 * config.MiB
	littleSpace = 5 * config.GiB
)

func space(dir string) Finding {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return found("space", Wrong, "%s: %v", dir, err)
	}
	free := config.Bytes(uint64(s.Bsize) * s.Bavail) // the types of both differ between systems
	state := OK
	switch {
	case free < leastSpace:
		state = Wrong
	case free < littleSpace:
		state = Doubt
	}
	return found("space", state, "%.1f GiB free", float64(free)/float64(config.GiB))
}

// Files besides connections: segments, tables of the store, listeners.
const (
	ownFiles   = 1024
	leastFiles = 2048
)

func files(connections int) Finding {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return found("files", Doubt, "the limit of open files cannot be read: %v", err)
	}
	// The Go runtime raises a process's own limit to the hard one.
	switch most := limit.Max; {
	case most < leastFiles:
		return found("files", Wrong, "%d may be open at once, %d are the least: raise ulimit -n", most, leastFiles)
	case most < uint64(connections)+ownFiles:
		return found("files", Doubt, "%d may be open at once: room for %d of the %d connections of link.max_connections",
			most, most-ownFiles, connections)
	default:
		return found("files", OK, "%d may be open at once", most)
	}
}

// clock says whether the time can be true: after this program was written, and
// not before what lies in the data folder.
func clock(dir string, now time.Time) Finding {
	if now.Year() < 2026 || now.Year() > 2100 {
		return found("clock", Wrong, "it says %s", now.Format(time.RFC3339))
	}
	newest, name := time.Time{}, ""
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // a file may vanish beside a live server
		}
		if info, err := d.Info(); err == nil && info.ModTime().After(newest) {
			newest, name = info.ModTime(), path
		}
		return nil
	})
	if ahead := newest.Sub(now); ahead > time.Minute {
		return found("clock", Wrong, "%s is %v younger than now: the clock went back", name, ahead.Round(time.Second))
	}
	if reason := unsynchronised(); reason != "" {
		return found("clock", Doubt, "%s; %s", now.Format(time.RFC3339), reason)
	}
	return found("clock", OK, "%s, kept in step with others", now.Format(time.RFC3339))
}

// Times of one sync that deserve a word.
const (
	slowSync = 50 * time.Millisecond
	tooFast  = 5 * time.Microsecond
)

// times are those of the syncs of small writes, sorted.
func judge(times []time.Duration) Finding {
	p50, p99 := times[len(times)/2], times[len(times)*99/100]
	switch {
	case p50 < tooFast:
		return found("sync", Doubt, "p50 %v, p99 %v: this disk answers before anything can be written", p50, p99)
	case p99 > slowSync:
		return found("sync", Doubt, "p50 %v, p99 %v: every answer waits for this", p50, p99)
	default:
		return found("sync", OK, "p50 %v, p99 %v for 4 KiB", p50, p99)
	}
}

// remove is for the probe's own file.
func remove(f *os.File) { _, _ = f.Close(), os.Remove(f.Name()) }
