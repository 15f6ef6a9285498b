package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// unsynchronised says why the clock may drift, or "".
func unsynchronised() string {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err != nil:
		return "whether it is kept in step cannot be read: " + err.Error()
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		return "nothing keeps it in step with other clocks"
	}
	return ""
}

// filesystem says which one the folder is on.
func filesystem(dir string) Finding {
	kind, err := mounted(dir)
	switch {
	case err != nil:
		return found("filesystem", Doubt, "it cannot be found out: %v", err)
	case kind == "tmpfs" || kind == "ramfs":
		return found("filesystem", Wrong, "%s: everything is lost when the machine restarts", kind)
	case strings.HasPrefix(kind, "nfs"), strings.HasPrefix(kind, "fuse"), kind == "cifs", kind == "smb3", kind == "9p":
		return found("filesystem", Doubt, "%s: its locks and syncs may promise less than a local disk's", kind)
	}
	return found("filesystem", OK, "%s", kind)
}

// mounted finds the kind of the innermost mount that holds the folder.
func mounted(dir string) (string, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	return kindOf(dir, string(table))
}

// kindOf reads proc(5)'s mountinfo: the fifth field is the mount point, the
// first after " - " the kind. Later mounts cover earlier ones.
func kindOf(dir, table string) (string, error) {
	kind, longest := "", -1
	for line := range strings.Lines(table) {
		before, after, found := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if !found || len(fields) < 5 || len(rest) == 0 {
			continue
		}
		point := unescape.Replace(fields[4])
		if inside(dir, point) && len(point) >= longest {
			kind, longest = rest[0], len(point)
		}
	}
	if longest < 0 {
		return "", errors.New("no mount holds it")
	}
	return kind, nil
}

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func inside(dir, point string) bool {
	return point == "/" || dir == point || strings.HasPrefix(dir, point+"/")
}
