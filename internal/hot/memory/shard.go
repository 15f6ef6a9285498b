package memory

import "sync"

// set is one user's items, guarded by the lock of its shard.
type set struct {
	name     string
	items    *ranking
	complete bool
	read     bool   // Top has read it, so touches keep it young
	used     uint64 // the engine's clock at the last use

	newer, older *set // neighbours of the shard in order of use
}

// shard holds a part of the sets, and the order in which they were used.
type shard struct {
	mu             sync.Mutex
	sets           map[string]*set
	newest, oldest *set
}

func (sh *shard) add(s *set, now uint64) {
	sh.sets[s.name] = s
	sh.link(s, now)
}

// use makes s the newest.
func (sh *shard) use(s *set, now uint64) {
	if s == sh.newest {
		s.used = now
		return
	}
	sh.unlink(s)
	sh.link(s, now)
}

func (sh *shard) link(s *set, now uint64) {
	s.used, s.older = now, sh.newest
	if s.older == nil {
		sh.oldest = s
	} else {
		s.older.newer = s
	}
	sh.newest = s
}

func (sh *shard) unlink(s *set) {
	if s.newer == nil {
		sh.newest = s.older
	} else {
		s.newer.older = s.older
	}
	if s.older == nil {
		sh.oldest = s.newer
	} else {
		s.older.newer = s.newer
	}
	s.newer, s.older = nil, nil
}

// drop forgets s; its shard is locked.
func (e *Engine) drop(sh *shard, s *set) {
	sh.unlink(s)
	delete(sh.sets, s.name)
	e.sets.Add(-1)
	e.items.Add(-int64(s.items.len()))
}

func (e *Engine) over() bool {
	sets := e.sets.Load()
	return sets > int64(e.opts.MaxSets) || sets > 1 && e.items.Load() > int64(e.opts.MaxItems)
}

// trim forgets the oldest sets until the engine is within its bounds.
func (e *Engine) trim() {
	if !e.over() {
		return
	}
	e.trimMu.Lock()
	defer e.trimMu.Unlock()
	for e.over() {
		e.dropOldest()
	}
}

// dropOldest compares the oldest set of every shard. A set used between the
// look and the drop makes way for the next oldest of its shard; exact age is
// not worth stopping everybody.
func (e *Engine) dropOldest() {
	var from *shard
	var used uint64
	for i := range e.shards {
		sh := &e.shards[i]
		sh.mu.Lock()
		if s := sh.oldest; s != nil && (from == nil || s.used < used) {
			from, used = sh, s.used
		}
		sh.mu.Unlock()
	}
	if from == nil {
		return // all forgotten meanwhile
	}
	from.mu.Lock()
	defer from.mu.Unlock()
	if s := from.oldest; s != nil {
		e.drop(from, s)
	}
}
