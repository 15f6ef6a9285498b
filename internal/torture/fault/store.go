package fault

import (
	"context"
	"sync"

	"github.com/merchantim/merchantim/internal/kv"
)

// How the domains' store lays out its partitions and keys, by first byte.
const (
	conversationPartition = 'c'
	userPartition         = 'u'
	rowKey                = 'l'
)

// dropper leaves out each nth of the operations that drops picks, and reports
// success. An operation is judged with its batch's partition.
type dropper struct {
	kv.Store
	drops func(partition []byte, op kv.Op) bool
	nth   int

	mu   sync.Mutex
	seen int
}

func rows() func([]byte, kv.Op) bool {
	return func(p []byte, op kv.Op) bool { return p[0] == userPartition && op.Key[0] == rowKey }
}

func conversations() func([]byte, kv.Op) bool {
	return func(p []byte, _ kv.Op) bool { return p[0] == conversationPartition }
}

func (d *dropper) Apply(ctx context.Context, batches []kv.Batch) []error {
	kept := make([]kv.Batch, len(batches))
	for i, b := range batches {
		kept[i] = kv.Batch{Partition: b.Partition, If: b.If, Ops: d.keep(b)}
	}
	return d.Store.Apply(ctx, kept)
}

// keep returns the operations of a batch that are not dropped. What is picked
// counts once a batch: all of it goes or none.
func (d *dropper) keep(b kv.Batch) []kv.Op {
	var kept []kv.Op
	picked := false
	for _, op := range b.Ops {
		if d.drops(b.Partition, op) {
			picked = true
		} else {
			kept = append(kept, op)
		}
	}
	if !picked {
		return b.Ops
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen++
	if d.seen%d.nth != 0 {
		return b.Ops
	}
	return kept
}
