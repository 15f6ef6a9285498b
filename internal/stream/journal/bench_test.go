package journal_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/vfs"
)

// benchDir is a folder on a real disk: JOURNAL_BENCH_DIR, or the test's own.
func benchDir(b *testing.B) string {
	if dir := os.Getenv("JOURNAL_BENCH_DIR"); dir != "" {
		dir, err := os.MkdirTemp(dir, "journal")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = os.RemoveAll(dir) })
		return filepath.ToSlash(dir)
	}
	return filepath.ToSlash(b.TempDir())
}

// BenchmarkAppend appends 250-byte records and waits for each to be durable,
// from so many goroutines, while one group consumes and commits them all.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 8, 128, 1024} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) { benchmarkAppend(b, n, 0) })
	}
}

// BenchmarkOffered does the same at a fixed rate, as a server's clients would.
func BenchmarkOffered(b *testing.B) {
	for _, rate := range []int{100, 5000, 20_000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) { benchmarkAppend(b, 128, rate) })
	}
}

func benchmarkAppend(b *testing.B, goroutines, rate int) {
	log, err := journal.Open(vfs.OS(), benchDir(b), journal.Options{
		Topics: []stream.Topic{{ID: 1, Name: "t", Partitions: 16}},
		Groups: []stream.Group{{Name: "g", Topic: 1}},
	})
	if err != nil {
		b.Fatal(err)
	}
	var consumed atomic.Int64
	ctx, stop := context.WithCancel(context.Background())
	var consumer sync.WaitGroup
	consumer.Go(func() {
		_ = log.Consume(ctx, "g", func(ctx context.Context, p stream.Partition) error {
			var recs []stream.Record
			for {
				var err error
				if recs, err = p.Next(ctx, recs[:0], 256); err != nil {
					return err
				}
				consumed.Add(int64(len(recs)))
				if err := p.Commit(recs[len(recs)-1].Position.Offset + 1); err != nil {
					return err
				}
			}
		})
	})
	began, cpu := time.Now(), cpuTime()
	b.ResetTimer()
	latencies := appendAll(b, log, goroutines, rate)
	for consumed.Load() < int64(b.N) {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	elapsed := time.Since(began)
	b.ReportMetric(float64(b.N)/elapsed.Seconds(), "records/s")
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/record")
	b.ReportMetric(float64(b.N)/float64(max(log.Stats().Syncs, 1)), "records/sync")
	b.ReportMetric(float64(latencies[len(latencies)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds()), "p99-µs")
	stop()
	consumer.Wait()
	if err := log.Close(); err != nil {
		b.Fatal(err)
	}
}

// appendAll appends b.N records, at the rate if there is one, and returns the
// sorted times from append to done.
func appendAll(b *testing.B, log *journal.Log, goroutines, rate int) []time.Duration {
	latencies := make([]time.Duration, b.N)
	var next atomic.Int64
	var workers sync.WaitGroup
	value := make([]byte, 230)
	key := []byte("conversation-0123456")
	began := time.Now()
	for range goroutines {
		workers.Go(func() {
			answer := make(chan error, 1)
			done := func(err error) { answer <- err }
			recs := make([]stream.Record, 1)
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				if rate > 0 {
					due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
					time.Sleep(time.Until(due))
				}
				at := time.Now()
				recs[0] = stream.Record{Partition: int32(i % 16), Key: key, Value: value}
				if err := log.Append(1, recs, done); err != nil {
					b.Error(err)
					return
				}
				if err := <-answer; err != nil {
					b.Error(err)
					return
				}
				latencies[i] = time.Since(at)
			}
		})
	}
	workers.Wait()
	slices.Sort(latencies)
	return latencies
}

// BenchmarkAppendOnly measures the call alone: nobody waits for the disk but
// when the log is full.
func BenchmarkAppendOnly(b *testing.B) {
	log, err := journal.Open(vfs.OS(), benchDir(b), journal.Options{
		Topics: []stream.Topic{{ID: 1, Name: "t", Partitions: 16}}, MaxPendingBytes: 64 << 20,
	})
	if err != nil {
		b.Fatal(err)
	}
	recs := []stream.Record{{Key: []byte("conversation-0123456"), Value: make([]byte, 230)}}
	done := func(error) {}
	var inCall time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += 50 {
		begun := time.Now()
		for j := range 50 {
			recs[0].Partition = int32(j % 16)
			if err := log.Append(1, recs, done); err != nil {
				b.Fatal(err)
			}
		}
		inCall += time.Since(begun)
		for log.Stats().PendingBytes > 32<<20 {
			time.Sleep(time.Millisecond)
		}
	}
	b.ReportMetric(float64(inCall.Nanoseconds())/float64(b.N), "ns/append")
	b.StopTimer()
	if err := log.Close(); err != nil {
		b.Fatal(err)
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
