// Package memory keeps hot state in the process: the engine of the embedded
// profile, and of tests.
//
// It promises the contract of hot within two bounds, the number of sets and of
// all their items. Past either it forgets the least recently used set, and goes
// on until it is within both or one set is left: a set larger than the bound is
// still served, alone. Begin, Fill and Top use a set; so does Touch once the
// set was read by Top, for then somebody looks at it.
//
// Every user's set lies in one of a fixed number of shards, each under its own
// lock, which is held for one step in one set. An item costs 60 to 150 bytes
// beside the bytes of its member. There are no goroutines, nothing to close.
package memory

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/merchantim/merchantim/internal/hot"
)

// What Options that say nothing mean.
const (
	DefaultMaxSets  = 10_000
	DefaultMaxItems = 1_000_000
)

const shards = 64

// Options are the bounds of an Engine. A value below 1 means the default.
type Options struct {
	MaxSets  int // sets, filling or complete
	MaxItems int // items of all sets together
}

// Engine implements hot.Recents. Make one with New.
type Engine struct {
	opts   Options
	seed   maphash.Seed
	shards [shards]shard

	clock  atomic.Uint64 // one tick a use, so that the ages of all sets compare
	sets   atomic.Int64
	items  atomic.Int64
	trimMu sync.Mutex // one trims at a time; taken before a shard's lock
}

var _ hot.Recents = (*Engine)(nil)

// New makes an empty engine.
func New(o Options) *Engine {
	if o.MaxSets < 1 {
		o.MaxSets = DefaultMaxSets
	}
	if o.MaxItems < 1 {
		o.MaxItems = DefaultMaxItems
	}
	e := &Engine{opts: o, seed: maphash.MakeSeed()}
	for i := range e.shards {
		e.shards[i].sets = make(map[string]*set)
	}
	return e
}

func (e *Engine) shard(name string) *shard {
	return &e.shards[maphash.String(e.seed, name)%shards]
}

// Touch implements hot.Recents.
func (e *Engine) Touch(ctx context.Context, name string, it hot.Item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.touch(e.shard(name), name, it) {
		e.trim()
	}
	return nil
}

// touch reports whether the set has grown.
func (e *Engine) touch(sh *shard, name string, it hot.Item) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.sets[name]
	if s == nil {
		return false
	}
	if s.read {
		sh.use(s, e.clock.Add(1))
	}
	if !s.items.raise(it) {
		return false
	}
	e.items.Add(1)
	return true
}

// Begin implements hot.Recents.
func (e *Engine) Begin(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.begin(e.shard(name), name) {
		e.trim()
	}
	return nil
}

// begin reports whether the set is new.
func (e *Engine) begin(sh *shard, name string) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s := sh.sets[name]; s != nil {
		sh.use(s, e.clock.Add(1))
		return false
	}
	sh.add(&set{name: name, items: newRanking(nil)}, e.clock.Add(1))
	e.sets.Add(1)
	return true
}

// Fill implements hot.Recents. The items are put in order before the shard is
// locked; then the few touches since Begin join them.
func (e *Engine) Fill(ctx context.Context, name string, items []hot.Item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.fill(e.shard(name), name, newRanking(items)); err != nil {
		return err
	}
	e.trim()
	return nil
}

func (e *Engine) fill(sh *shard, name string, items *ranking) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.sets[name]
	if s == nil {
		return hot.ErrNotFilled
	}
	sh.use(s, e.clock.Add(1))
	before := s.items.len()
	s.items = merge(s.items, items)
	s.complete = true
	e.items.Add(int64(s.items.len() - before))
	return nil
}

// Top implements hot.Recents.
func (e *Engine) Top(ctx context.Context, name string, after *hot.Item, limit int) ([]hot.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sh := e.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.sets[name]
	if s == nil || !s.complete {
		return nil, hot.ErrNotFilled
	}
	s.read = true
	sh.use(s, e.clock.Add(1))
	return s.items.page(after, limit), nil
}

// Forget implements hot.Recents.
func (e *Engine) Forget(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sh := e.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s := sh.sets[name]; s != nil {
		e.drop(sh, s)
	}
	return nil
}
