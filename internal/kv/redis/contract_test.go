package redis

import (
	"context"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/kvtest"
	"github.com/merchantim/merchantim/internal/redisconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func mustOpen(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mini is the options of a store on a server in this process, which has no disk.
func mini(t testing.TB) Options {
	return Options{Conn: redisconn.Options{Addrs: []string{miniredis.RunT(t).Addr()}}, TrustDisk: true}
}

// contract runs the suite. Each of its stores has a prefix of its own, so that
// it is empty.
func contract(t *testing.T, o Options) {
	opts := map[kv.Store]Options{}
	n := 0
	kvtest.Run(t, func(t *testing.T) kv.Store {
		n++
		own := o
		own.Prefix = string(rune('A'+n%26)) + t.Name() + string(rune(0x4e00+n)) + ":"
		s := mustOpen(t, own)
		opts[s] = own
		return s
	}, kvtest.Features{Reopen: func(t *testing.T, s kv.Store) kv.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		next := mustOpen(t, opts[s])
		opts[next] = opts[s]
		return next
	}})
}

func TestContract(t *testing.T) { contract(t, mini(t)) }
