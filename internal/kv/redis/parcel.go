package redis

import (
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/merchantim/merchantim/internal/kv"
)

// Bounds of what one script call does, and of what is under way at once. A
// single batch may be larger; it goes alone.
const (
	parcelBytes = 1 << 20
	parcelOps   = 2000
	waveBytes   = 16 << 20
)

// parcel is the batches of one partition that one call of the script applies,
// so that nothing comes between them and none overtakes another.
type parcel struct {
	keys    []string
	server  *redis.Client // who has it, as a server told at the try before
	batches []int         // their places in the call
	args    []any         // of the script
	bytes   int
	ops     int
}

// wave is parcels of different partitions, which are sent together.
type wave struct {
	parcels []*parcel
	open    map[string]*parcel
	bytes   int
}

// waves puts batches that are within the limits into waves: one after another
// where a barrier asks for it, or bounds do.
func (s *Store) waves(batches []kv.Batch, skip func(i int) bool) []*wave {
	var all []*wave
	var w *wave
	for i := range batches {
		if skip(i) {
			continue
		}
		b := &batches[i]
		size := sizeOf(b)
		if w == nil || b.Barrier || !w.fits(b, size) {
			w = &wave{open: make(map[string]*parcel)}
			all = append(all, w)
		}
		p := w.open[string(b.Partition)]
		if p == nil {
			p = &parcel{keys: s.keys(b.Partition), args: []any{s.version()}}
			w.open[string(b.Partition)] = p
			w.parcels = append(w.parcels, p)
		}
		p.add(i, b, size)
		w.bytes += size
	}
	return all
}

func sizeOf(b *kv.Batch) int {
	n := 0
	for i := range b.If {
		n += len(b.If[i].Key) + len(b.If[i].Value)
	}
	for i := range b.Ops {
		n += len(b.Ops[i].Key) + len(b.Ops[i].Value)
	}
	return n
}

func (w *wave) fits(b *kv.Batch, size int) bool {
	if w.bytes+size > waveBytes && w.bytes > 0 {
		return false
	}
	p := w.open[string(b.Partition)]
	return p == nil || p.bytes+size <= parcelBytes && p.ops+len(b.If)+len(b.Ops) <= parcelOps
}

// add encodes a batch as write.lua reads it. Of several operations on one key
// only the last has an effect that anybody could see.
func (p *parcel) add(i int, b *kv.Batch, size int) {
	p.batches = append(p.batches, i)
	p.bytes += size
	p.ops += len(b.If) + len(b.Ops)

	last := make(map[string]int, len(b.Ops))
	for j := range b.Ops {
		last[string(b.Ops[j].Key)] = j
	}
	var sets, dels []any
	for j := range b.Ops {
		op := &b.Ops[j]
		switch {
		case last[string(op.Key)] != j:
		case op.Delete:
			dels = append(dels, op.Key)
		default:
			sets = append(sets, op.Key, bytesOf(op.Value))
		}
	}
	p.args = append(p.args, strconv.Itoa(len(b.If)), strconv.Itoa(len(sets)/2), strconv.Itoa(len(dels)))
	for j := range b.If {
		if c := &b.If[j]; c.Absent {
			p.args = append(p.args, "-", c.Key)
		} else {
			p.args = append(p.args, "=", c.Key, bytesOf(c.Value))
		}
	}
	p.args = append(append(p.args, sets...), dels...)
}

// bytesOf is never nil: the driver would refuse it.
func bytesOf(v []byte) []byte {
	if v == nil {
		return []byte{}
	}
	return v
}
