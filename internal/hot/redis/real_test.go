package redis

import (
	"errors"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/hot/hottest"
	"github.com/merchantim/merchantim/internal/redisconn"
	"github.com/merchantim/merchantim/internal/redistest"
)

// TestOnServers is what hot state does on real ones (M60).
func TestOnServers(t *testing.T) {
	if !redistest.Wanted() {
		return // make test-redis
	}
	one := redistest.One(t, "--appendfsync", "always")
	t.Run("contracts on one server", func(t *testing.T) {
		contracts(t, hottest.Run, onReal(one))
	})
	t.Run("a restart outdates what was kept", func(t *testing.T) { restartOutdates(t, one) })
	cluster := redistest.Cluster(t, "--appendfsync", "everysec")
	t.Run("contracts on a cluster", func(t *testing.T) {
		contracts(t, hottest.Run, onReal(cluster))
	})
}

// onReal is servers whose time passes by itself.
func onReal(servers *redistest.Servers) func(*testing.T) (redisconn.Options, hottest.Pass) {
	return func(*testing.T) (redisconn.Options, hottest.Pass) { return servers.Conn(), time.Sleep }
}

// restartOutdates: the server comes back with every key, but nobody knows which
// touches it has missed.
func restartOutdates(t *testing.T, servers *redistest.Servers) {
	e := mustOpen(t, servers.Conn())
	fill := func() {
		t.Helper()
		if err := errors.Join(e.Begin(ctx, "u"), e.Fill(ctx, "u", []hot.Item{{Member: "a", Score: 5}})); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	servers.Kill(servers.Ports[0])
	servers.Again()
	if n, err := e.client.Exists(ctx, e.key('r', "u")).Result(); err != nil || n != 1 {
		t.Fatalf("the server has not kept the key: %d, %v", n, err)
	}
	if got, err := e.Top(ctx, "u", nil, 1); !errors.Is(err, hot.ErrNotFilled) {
		t.Fatalf("%v, %v; want ErrNotFilled", got, err)
	}
	fill()
	if got, err := e.Top(ctx, "u", nil, 1); err != nil || len(got) != 1 {
		t.Fatalf("filled again: %v, %v", got, err)
	}
}
