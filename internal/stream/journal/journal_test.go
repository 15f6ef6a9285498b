package journal_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/stream/streamtest"
	"github.com/merchantim/merchantim/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPort runs the suite on segments, memory and read-ahead so small that
// owners read from the disk and from several segments.
func TestPort(t *testing.T) {
	streamtest.Run(t, streamtest.Engine{
		MaxRecordBytes: 4096,
		Many:           6000,
		New: func(*testing.T) streamtest.Opener {
			fs := vfs.NewMem()
			return func(c streamtest.Config) (stream.Log, error) { return journal.Open(fs, "/log", small(c)) }
		},
	})
}

// TestPortOnDisk runs it on real files and the shipped sizes.
func TestPortOnDisk(t *testing.T) {
	t.Parallel()
	streamtest.Run(t, streamtest.Engine{
		MaxRecordBytes: 1 << 20,
		Many:           2000,
		New: func(t *testing.T) streamtest.Opener {
			dir := t.TempDir()
			return func(c streamtest.Config) (stream.Log, error) {
				return journal.Open(vfs.OS(), dir, journal.Options{
					Topics: c.Topics, Groups: c.Groups, SegmentBytes: 8 << 20, MaxRecordBytes: 1 << 20,
				})
			}
		},
	})
}

func small(c streamtest.Config) journal.Options {
	return journal.Options{
		Topics: c.Topics, Groups: c.Groups,
		SegmentBytes: 128 << 10, SyncInterval: -1, MaxRecordBytes: 4096,
		TailBytes: 32 << 10, ReadAheadBytes: 64 << 10,
	}
}
