package doctor

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// The probe writes as the journal does: into space that is already there.
const (
	probeWrites = 200
	probeBlock  = 4096
	probeTime   = 2 * time.Second
)

// syncTimes says how long the disk takes to make 4 KiB durable.
func syncTimes(ctx context.Context, dir string) Finding {
	times, err := probe(ctx, dir)
	if err != nil {
		return found("sync", Wrong, "%s: %v", dir, err)
	}
	return judge(times)
}

func probe(ctx context.Context, dir string) ([]time.Duration, error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return nil, err
	}
	defer remove(f)
	if _, err := f.Write(make([]byte, probeWrites*probeBlock)); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	var times []time.Duration
	block, end := make([]byte, probeBlock), time.Now().Add(probeTime)
	for i := range probeWrites {
		if i > 0 && (time.Now().After(end) || ctx.Err() != nil) {
			break
		}
		block[0] = byte(i)
		start := time.Now()
		if _, err := f.WriteAt(block, int64(i)*probeBlock); err != nil {
			return nil, err
		}
		if err := datasync(f); err != nil {
			return nil, fmt.Errorf("syncing: %w", err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times, nil
}
