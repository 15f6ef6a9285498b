package pipeline

// cache keeps what an owner used last, in two generations: when the young one
// is full it becomes the old one, and what is found in the old one is young
// again. At most twice limit entries, and about twice budget bytes. For one
// goroutine.
type cache[K comparable, V sized] struct {
	limit, budget int
	bytes         int // of the young ones
	young, old    map[K]V
}

// sized tells its memory in bytes, about.
type sized interface{ Size() int }

func newCache[K comparable, V sized](limit, budget int) *cache[K, V] {
	return &cache[K, V]{limit: limit, budget: budget, young: make(map[K]V)}
}

func (c *cache[K, V]) get(k K) (V, bool) {
	if v, ok := c.young[k]; ok {
		return v, true
	}
	v, ok := c.old[k]
	if ok {
		c.put(k, v)
	}
	return v, ok
}

func (c *cache[K, V]) put(k K, v V) {
	if len(c.young) >= c.limit || c.bytes >= c.budget {
		c.old, c.young, c.bytes = c.young, make(map[K]V, min(len(c.young), c.limit)), 0
	}
	c.young[k] = v
	c.bytes += v.Size()
}

// grew notes that a young value has become larger; the next put heeds it.
func (c *cache[K, V]) grew(bytes int) { c.bytes += bytes }
