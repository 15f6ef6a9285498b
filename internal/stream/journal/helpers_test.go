package journal_test

import (
	"testing"

	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/vfs"
)

func openTale(t *testing.T, fs vfs.FS, groups ...string) *journal.Log {
	t.Helper()
	log, err := journal.Open(fs, "/log", taleOptions(groups...))
	failOn(t, err, "open")
	t.Cleanup(func() { _ = log.Close() })
	return log
}
