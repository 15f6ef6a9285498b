package redis

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/hot/hottest"
	"github.com/merchantim/merchantim/internal/redisconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func mustOpen(t *testing.T, conn redisconn.Options) *Engine {
	t.Helper()
	e, err := Open(Options{Conn: conn, Prefix: t.Name() + ":"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

type suite func(t *testing.T, open func(t *testing.T) hot.Recents)

// contracts runs all suites of hot; open returns the servers, and what lets
// their time pass.
func contracts(t *testing.T, recents suite, open func(t *testing.T) (redisconn.Options, hottest.Pass)) {
	t.Run("recents", func(t *testing.T) {
		recents(t, func(t *testing.T) hot.Recents {
			conn, _ := open(t)
			return mustOpen(t, conn)
		})
	})
	t.Run("routes", func(t *testing.T) {
		hottest.RunRoutes(t, func(t *testing.T) (hot.Routes, hottest.Pass) {
			conn, pass := open(t)
			return mustOpen(t, conn), pass
		})
	})
	t.Run("posts", func(t *testing.T) {
		conn, _ := open(t)
		hottest.RunPosts(t, mustOpen(t, conn))
	})
	t.Run("rates", func(t *testing.T) {
		hottest.RunRates(t, func(t *testing.T) (hot.Rates, hottest.Pass) {
			conn, pass := open(t)
			return mustOpen(t, conn), pass
		})
	})
}

// mini is a server in this process, whose clock stands.
func mini(t *testing.T) (redisconn.Options, hottest.Pass) {
	server, now := miniredis.RunT(t), time.Unix(1_795_000_000, 0)
	server.SetTime(now)
	return redisconn.Options{Addrs: []string{server.Addr()}}, func(d time.Duration) {
		now = now.Add(d)
		server.SetTime(now)
		server.FastForward(d)
	}
}

// The sorted sets of the server in this process are slow; the model gets its
// hundred checks, and the largest story, on real ones.
func TestContracts(t *testing.T) {
	checks := flag.Lookup("rapid.checks").Value.String()
	if err := flag.Set("rapid.checks", "5"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = flag.Set("rapid.checks", checks) }()
	contracts(t, hottest.RunSmall, mini)
}
