package redis

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"testing"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/redisconn"
	"github.com/merchantim/merchantim/internal/redistest"
)

// The figures of DESIGN.md; they need real servers.

func benchStore(b *testing.B, settings ...string) *Store {
	if !redistest.Wanted() {
		b.Skip("MERCHANTIM_TEST_REDIS is not set") // a benchmark, not a test
	}
	s := mustOpen(b, Options{Conn: redistest.One(b, settings...).Conn()})
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// benchBatch is like the writer's: a head on condition, a run and its bodies.
func benchBatch(part string, n int, size int) kv.Batch {
	b := kv.Batch{Partition: []byte(part), Ops: []kv.Op{
		{Key: []byte("h"), Value: []byte(strconv.Itoa(n))},
		{Key: binary.BigEndian.AppendUint64([]byte("c"), uint64(n)), Value: make([]byte, size/5)},
		{Key: binary.BigEndian.AppendUint64([]byte("b"), uint64(n)), Value: make([]byte, size)},
	}}
	if n > 0 {
		b.If = []kv.Cond{{Key: []byte("h"), Value: []byte(strconv.Itoa(n - 1))}}
	}
	return b
}

func usedMemory(b *testing.B, s *Store) float64 {
	info, err := s.client.Info(ctx, "memory").Result()
	if err != nil {
		b.Fatal(err)
	}
	used, err := strconv.ParseFloat(redisconn.Field(info, "used_memory"), 64)
	if err != nil {
		b.Fatal(err)
	}
	return used
}

// BenchmarkApply writes calls of 64 batches, each of another partition.
func BenchmarkApply(b *testing.B) {
	for _, fsync := range []string{"always", "everysec"} {
		for _, calls := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d a call", fsync, calls), func(b *testing.B) {
				s := benchStore(b, "--appendfsync", fsync)
				before := usedMemory(b, s)
				round := 0
				for n := 0; n < b.N; round++ {
					for from := 0; from < 512 && n < b.N; from += calls {
						batches := make([]kv.Batch, calls)
						for i := range batches {
							batches[i] = benchBatch(fmt.Sprintf("conversation-%04d", from+i), round, 250)
						}
						for _, err := range s.Apply(ctx, batches) {
							if err != nil {
								b.Fatal(err)
							}
						}
						n += calls
					}
				}
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
				b.ReportMetric((usedMemory(b, s)-before)/float64(b.N), "memory/batch")
				if err := s.Checkpoint(ctx); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(s.Stats().DiskBytes)/float64(b.N), "file/batch")
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	s := benchStore(b, "--appendfsync", "everysec")
	for n := range 10_000 {
		for _, err := range s.Apply(ctx, []kv.Batch{benchBatch("p", n, 250)}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Get(ctx, []byte("p"), []byte("h")); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, limit := range []int{1, 50, 500, 0} {
		b.Run(fmt.Sprintf("scan %d", limit), func(b *testing.B) {
			for b.Loop() {
				r := kv.Range{From: []byte("b"), To: []byte("c"), Reverse: true, Limit: limit}
				if err := s.Scan(ctx, []byte("p"), r, func(_, _ []byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
