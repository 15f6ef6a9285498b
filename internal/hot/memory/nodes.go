package memory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/merchantim/merchantim/internal/hot"
)

// Nodes is the engine of Routes, Posts and Rates for nodes that are in one
// process: the embedded profile, and tests. What has expired is dropped as soon
// as half of what it holds may have.
type Nodes struct {
	now func() time.Time

	mu      sync.Mutex
	routes  map[string]map[string]time.Time // user, node: until
	buckets map[string]time.Time            // the moment at which all tokens are back
	sweepAt int
	ears    map[string]map[chan []byte]bool
}

var (
	_ hot.Routes = (*Nodes)(nil)
	_ hot.Posts  = (*Nodes)(nil)
	_ hot.Rates  = (*Nodes)(nil)
)

// queuedPosts is how many messages wait for one listener.
const queuedPosts = 1024

// NewNodes makes an engine with a clock.
func NewNodes(now func() time.Time) *Nodes {
	return &Nodes{
		now: now, routes: make(map[string]map[string]time.Time), buckets: make(map[string]time.Time),
		sweepAt: 1024, ears: make(map[string]map[chan []byte]bool),
	}
}

// sweep drops what has expired, now and then. The lock is held.
func (n *Nodes) sweep() {
	if len(n.routes)+len(n.buckets) < n.sweepAt {
		return
	}
	now := n.now()
	for user, nodes := range n.routes {
		maps.DeleteFunc(nodes, func(_ string, until time.Time) bool { return !until.After(now) })
		if len(nodes) == 0 {
			delete(n.routes, user)
		}
	}
	maps.DeleteFunc(n.buckets, func(_ string, full time.Time) bool { return !full.After(now) })
	n.sweepAt = max(1024, 2*(len(n.routes)+len(n.buckets)))
}

// Enter implements hot.Routes.
func (n *Nodes) Enter(ctx context.Context, node string, users []string, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sweep()
	until := n.now().Add(ttl)
	for _, u := range users {
		if n.routes[u] == nil {
			n.routes[u] = make(map[string]time.Time)
		}
		n.routes[u][node] = until
	}
	return nil
}

// Leave implements hot.Routes.
func (n *Nodes) Leave(ctx context.Context, node, user string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if delete(n.routes[user], node); len(n.routes[user]) == 0 {
		delete(n.routes, user)
	}
	return nil
}

// Where implements hot.Routes.
func (n *Nodes) Where(ctx context.Context, users []string) ([][]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now, all := n.now(), make([][]string, len(users))
	for i, u := range users {
		for _, node := range slices.Sorted(maps.Keys(n.routes[u])) {
			if n.routes[u][node].After(now) {
				all[i] = append(all[i], node)
			}
		}
	}
	return all, nil
}

// Post implements hot.Posts.
func (n *Nodes) Post(ctx context.Context, node string, message []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for ear := range n.ears[node] {
		select {
		case ear <- slices.Clone(message):
		default: // a slow taker loses it
		}
	}
	return nil
}

// Listen implements hot.Posts.
func (n *Nodes) Listen(ctx context.Context, node string, ready func(), take func(message []byte)) error {
	ear := make(chan []byte, queuedPosts)
	n.mu.Lock()
	if n.ears[node] == nil {
		n.ears[node] = make(map[chan []byte]bool)
	}
	n.ears[node][ear] = true
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if delete(n.ears[node], ear); len(n.ears[node]) == 0 {
			delete(n.ears, node)
		}
	}()
	ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-ear:
			take(m)
		}
	}
}

// Take implements hot.Rates.
func (n *Nodes) Take(ctx context.Context, key string, r hot.Rate, tokens int) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sweep()
	now, depth := n.now(), time.Duration(r.Burst)*r.Every
	full := n.buckets[key]
	if full.Before(now) {
		full = now
	}
	full = full.Add(time.Duration(min(tokens, r.Burst)) * r.Every)
	if wait := full.Sub(now) - depth; wait > 0 {
		return wait, nil
	}
	n.buckets[key] = full
	return 0, nil
}
