package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

const (
	// probeBytes is appended between two syncs: about what a journal writes in
	// a group at 5,000 messages a second.
	probeBytes = 4096
	// probePause is the shortest time from one append to the next, the pace of
	// a journal's group commit.
	probePause = time.Millisecond
	// probeMax bounds the probe's file.
	probeMax = 256 << 20
)

// probeDisk appends to a preallocated file in dir and makes each append durable
// by fdatasync, for as long as d, and adds each sync's time to h. This is the
// least that a durable answer costs on this disk.
func probeDisk(ctx context.Context, dir string, d time.Duration, h *histogram) (err error) {
	f, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return harness("probing the disk: %w", err)
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	size := min(int64(d/probePause+1)*probeBytes, probeMax)
	if err := preallocate(f, size); err != nil {
		return harness("probing the disk: preallocating: %w", err)
	}
	if err := f.Sync(); err != nil {
		return harness("probing the disk: %w", err)
	}
	if err := appendSynced(ctx, f, size, d, h); err != nil {
		return harness("probing the disk: %w", err)
	}
	return nil
}

func appendSynced(ctx context.Context, f *os.File, size int64, d time.Duration, h *histogram) error {
	block := make([]byte, probeBytes)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(block) // never fails
	began := time.Now()
	for off := int64(0); off+probeBytes <= size && time.Since(began) < d; off += probeBytes {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		start := time.Now()
		if _, err := f.WriteAt(block, off); err != nil {
			return fmt.Errorf("append: %w", err)
		}
		synced := time.Now()
		if err := syncData(f); err != nil {
			return fmt.Errorf("fdatasync: %w", err)
		}
		h.record(int64(time.Since(synced)))
		if rest := probePause - time.Since(start); rest > 0 {
			sleepKernel(rest)
		}
	}
	return nil
}
