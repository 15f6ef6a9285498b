package memory_test

import (
	"sync"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/hot/hottest"
	"github.com/merchantim/merchantim/internal/hot/memory"
)

// clock stands until it is told to go on.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestNodes(t *testing.T) {
	c := &clock{at: time.Unix(1_795_000_000, 0)}
	hottest.RunRoutes(t, func(*testing.T) (hot.Routes, hottest.Pass) { return memory.NewNodes(c.now), c.pass })
	hottest.RunPosts(t, memory.NewNodes(c.now))
	hottest.RunRates(t, func(*testing.T) (hot.Rates, hottest.Pass) { return memory.NewNodes(c.now), c.pass })
}
