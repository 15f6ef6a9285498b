package pipeline

import (
	"context"
	"sync/atomic"
	"time"
)

// steps are one past the newest record whose effects can be read, by partition.
type steps []atomic.Int64

// await waits until the effects of all records below next can be read.
func (s steps) await(ctx context.Context, partition int32, next int64) error {
	for s != nil && s[partition].Load() < next {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s steps) note(partition int32, next int64) {
	if s != nil {
		s[partition].Store(next)
	}
}
