package pipeline

import "testing"

type heavy int

func (h heavy) Size() int { return int(h) }

// What is kept is bounded in bytes, not only in number: a chain's memory grows
// with its messages.
func TestCacheIsBoundedInBytes(t *testing.T) {
	c := newCache[int, heavy](1000, 10_000)
	for i := range 500 {
		c.put(i, 1000)
	}
	kept := 0
	for i := range 500 {
		_, young := c.young[i]
		_, old := c.old[i]
		if young || old {
			kept++
		}
	}
	if kept == 0 || kept > 20 {
		t.Errorf("%d values of 1,000 bytes are kept, in twice 10,000 bytes", kept)
	}
	if _, ok := c.get(499); !ok {
		t.Error("the newest value is gone")
	}
	c.grew(10_000)
	c.put(500, 1)
	if len(c.young) != 1 {
		t.Errorf("%d young values beside one that grew over the budget", len(c.young)-1)
	}
}
