package store

import (
	"slices"
	"sync"
)

const shardCount = 64

// pending holds what is not written yet, in two generations: active takes
// changes, frozen is being written. Readers look into both, then into the
// store: what leaves frozen is in the store by then. The one written last stays
// at hand until the next one is, for what never changes: a stage that lags
// would else look every message up in the store, and lag the more.
type pending[K comparable, P any] struct {
	hash   func(K) uint32
	full   func(P) bool // takes no more: the next change begins another value
	shards [shardCount]shard[K, P]
}

type shard[K comparable, P any] struct {
	mu             sync.RWMutex
	active, frozen values[K, P]
	written        values[K, P]
}

// values are those of one generation. Most keys have one; what does not fit
// into one batch of the store is in the full ones before it.
type values[K comparable, P any] struct {
	newest map[K]P
	full   map[K][]P // oldest first; nil: none
}

func (v *values[K, P]) view(k K, fn func(P) bool) bool {
	if p, ok := v.newest[k]; ok && !fn(p) {
		return false
	}
	for _, p := range slices.Backward(v.full[k]) {
		if !fn(p) {
			return false
		}
	}
	return true
}

func (v *values[K, P]) empty() bool { return len(v.newest) == 0 && len(v.full) == 0 }

// each calls fn for all values, those of a key from the oldest.
func (v *values[K, P]) each(fn func(P)) {
	for _, all := range v.full {
		for _, p := range all {
			fn(p)
		}
	}
	for _, p := range v.newest {
		fn(p)
	}
}

func newPending[K comparable, P any](hash func(K) uint32, full func(P) bool) *pending[K, P] {
	t := &pending[K, P]{hash: hash, full: full}
	for i := range t.shards {
		t.shards[i].active.newest = make(map[K]P)
	}
	return t
}

func (t *pending[K, P]) shard(k K) *shard[K, P] { return &t.shards[t.hash(k)%shardCount] }

// change calls fn with the active value of k under the lock, made first if absent.
func (t *pending[K, P]) change(k K, create func() P, fn func(P)) {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.active
	p, ok := v.newest[k]
	if !ok {
		p = create()
		v.newest[k] = p
	}
	fn(p)
	if t.full(p) {
		if v.full == nil {
			v.full = make(map[K][]P)
		}
		v.full[k] = append(v.full[k], p)
		delete(v.newest, k)
	}
}

// view calls fn with the pending values of k, newer first, until it returns
// false. They must not be used after it returned.
func (t *pending[K, P]) view(k K, fn func(P) bool) {
	s := t.shard(k)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.active.view(k, fn) {
		s.frozen.view(k, fn)
	}
}

// viewWritten is view for the generation that was written last.
func (t *pending[K, P]) viewWritten(k K, fn func(P) bool) {
	s := t.shard(k)
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.written.view(k, fn)
}

// freeze ends the active generation and returns it, the values of a key from
// the oldest. seal is called for each in that order, under its shard's lock. The
// frozen generation before must have been dropped.
func (t *pending[K, P]) freeze(seal func(P)) []P {
	var all []P
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		if !s.active.empty() {
			s.frozen, s.active = s.active, values[K, P]{newest: make(map[K]P, len(s.active.newest))}
		}
		s.frozen.each(func(p P) {
			seal(p)
			all = append(all, p)
		})
		s.mu.Unlock()
	}
	return all
}

// drop ends the frozen generation, once it is in the store, and forgets the one
// before.
func (t *pending[K, P]) drop() {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		s.written, s.frozen = s.frozen, values[K, P]{}
		s.mu.Unlock()
	}
}
