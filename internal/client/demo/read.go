package demo

import (
	"context"
	"sync"

	"github.com/merchantim/merchantim/internal/client"
)

// reading tells the server, in its own time, how far the user has read.
type reading struct {
	newest chan uint64 // at most one: the newest
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

func startReading(ctx context.Context, c *client.Client, conversation string) *reading {
	ctx, cancel := context.WithCancel(ctx)
	r := &reading{newest: make(chan uint64, 1), cancel: cancel}
	r.wait.Go(func() {
		told := uint64(0)
		for {
			select {
			case index := <-r.newest:
				if index > told && c.Read(ctx, conversation, index) == nil {
					told = index // a refusal is no harm: the next one tells more
				}
			case <-ctx.Done():
				return
			}
		}
	})
	return r
}

// upTo does not block; only the chat calls it.
func (r *reading) upTo(index uint64) {
	select {
	case <-r.newest:
	default:
	}
	r.newest <- index
}

func (r *reading) stop() {
	r.cancel()
	r.wait.Wait()
}
