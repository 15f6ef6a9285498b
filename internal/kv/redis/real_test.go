package redis

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/redistest"
)

// TestOnServers is what a store does on real ones (M51, X1).
func TestOnServers(t *testing.T) {
	if !redistest.Wanted() {
		return // make test-redis
	}
	t.Run("contract on one server", func(t *testing.T) {
		contract(t, Options{Conn: redistest.One(t, "--appendfsync", "always").Conn()})
	})
	t.Run("kill -9 loses nothing acknowledged", killsLoseNothing)
	t.Run("everysec can be checkpointed", everysec)
	t.Run("without a log there is no checkpoint", noLog)
	t.Run("a flushed script comes back", scriptFlush)
	t.Run("cluster", func(t *testing.T) {
		servers := redistest.Cluster(t, "--appendfsync", "always")
		t.Run("contract", func(t *testing.T) { contract(t, Options{Conn: servers.Conn()}) })
		t.Run("contract among fail-overs", func(t *testing.T) { contractAmongFailovers(t, servers) })
		t.Run("a master dies", func(t *testing.T) { masterDies(t, servers) })
	})
}

// writers raise the counters of several partitions, each entry on condition of
// the one before, until ctx ends; the last number acknowledged for each comes
// back. An error of a server that is away is looked into and gone on from.
func writers(ctx context.Context, t *testing.T, s *Store, parts int) []int {
	acked := make([]int, parts)
	var all sync.WaitGroup
	for p := range parts {
		all.Go(func() {
			part := []byte("p" + strconv.Itoa(p))
			for n := 1; ctx.Err() == nil; n++ {
				b := kv.Batch{Partition: part, Ops: raise(n)}
				if n == 1 {
					b.If = []kv.Cond{{Key: []byte("head"), Absent: true}}
				} else {
					b.If = []kv.Cond{{Key: []byte("head"), Value: []byte(strconv.Itoa(n - 1))}}
				}
				errs := s.Apply(context.Background(), []kv.Batch{b})
				switch {
				case errs == nil:
					acked[p] = n
				case errors.Is(errs[0], kv.ErrUnavailable):
					n = head(s, part) // it may have taken effect, or not
				default:
					t.Errorf("partition %d, entry %d: %v", p, n, errs[0])
					return
				}
			}
		})
	}
	all.Wait()
	return acked
}

func raise(n int) []kv.Op {
	return []kv.Op{
		{Key: []byte("head"), Value: []byte(strconv.Itoa(n))},
		{Key: entry(n), Value: []byte(strconv.Itoa(n))},
	}
}

func entry(n int) []byte { return append([]byte("e"), strconv.Itoa(1_000_000+n)...) }

// head reads a counter, however long that takes.
func head(s *Store, part []byte) int {
	for {
		v, err := s.Get(context.Background(), part, []byte("head"))
		if errors.Is(err, kv.ErrNotFound) {
			return 0
		}
		if n, nerr := strconv.Atoi(string(v)); err == nil && nerr == nil {
			return n
		}
	}
}

// wantWhole holds that a partition is a prefix of what was written: entries
// without a hole, and a head that says how many.
func wantWhole(t *testing.T, s *Store, part []byte, least int) {
	t.Helper()
	n := 0
	err := s.Scan(context.Background(), part, kv.Range{From: []byte("e"), To: []byte("f")}, func(k, _ []byte) error {
		if n++; string(k) != string(entry(n)) {
			t.Fatalf("%s: entry %d is %s", part, n, k)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if h := head(s, part); h != n && h != 0 {
		t.Fatalf("%s: head %d, but %d entries", part, h, n)
	}
	if n < least {
		t.Fatalf("%s: %d entries of %d acknowledged", part, n, least)
	}
}

// with runs writers while something happens, and for as long as it takes.
func with(t *testing.T, s *Store, parts int, happens func()) []int {
	ctx, cancel := context.WithCancel(context.Background())
	var acked []int
	var all sync.WaitGroup
	all.Go(func() { acked = writers(ctx, t, s, parts) })
	happens()
	cancel()
	all.Wait()
	return acked
}

// grown waits until all counters have passed a number.
func grown(s *Store, parts, beyond int) {
	for p := range parts {
		part := []byte("p" + strconv.Itoa(p))
		for head(s, part) < beyond {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func killsLoseNothing(t *testing.T) {
	const parts, kills = 8, 5
	servers := redistest.One(t, "--appendfsync", "always")
	s := mustOpen(t, Options{Conn: servers.Conn()})
	defer func() { _ = s.Close() }()
	id, err := s.Identity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	acked := with(t, s, parts, func() {
		for k := range kills {
			grown(s, parts, 30*(k+1))
			servers.Kill(servers.Ports[0])
			servers.Again()
		}
		grown(s, parts, 30*(kills+1))
	})
	for p, n := range acked {
		wantWhole(t, s, []byte("p"+strconv.Itoa(p)), n)
	}
	if now, err := s.Identity(ctx); err != nil || now == id {
		t.Fatalf("identity %s, before the kills %s, %v", now, id, err)
	}
}

func everysec(t *testing.T) {
	servers := redistest.One(t, "--appendfsync", "everysec")
	s := mustOpen(t, Options{Conn: servers.Conn()})
	defer func() { _ = s.Close() }()
	acked := with(t, s, 4, func() { grown(s, 4, 20) })
	if err := s.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if s.Stats().DiskBytes == 0 {
		t.Error("the size of the log is not known")
	}
	servers.Kill(servers.Ports[0])
	servers.Again()
	for p, n := range acked {
		wantWhole(t, s, []byte("p"+strconv.Itoa(p)), n)
	}
}

func noLog(t *testing.T) {
	for _, settings := range [][]string{{"--appendonly", "no"}, {"--appendfsync", "no"}} {
		s := mustOpen(t, Options{Conn: redistest.One(t, settings...).Conn(), Patience: time.Millisecond})
		if err := s.Checkpoint(ctx); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("%v: %v", settings, err)
		}
		if err := s.Close(); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("%v: close: %v", settings, err)
		}
	}
}

func scriptFlush(t *testing.T) {
	s := mustOpen(t, Options{Conn: redistest.One(t, "--appendfsync", "always").Conn()})
	defer func() { _ = s.Close() }()
	with(t, s, 4, func() {
		for k := range 20 {
			grown(s, 4, 10*k)
			if err := s.client.ScriptFlush(ctx).Err(); err != nil {
				t.Error(err)
			}
		}
	})
	for p := range 4 {
		wantWhole(t, s, []byte("p"+strconv.Itoa(p)), 190)
	}
}

// contractAmongFailovers runs the suite while replicas take over, one after
// another, as an operator makes them: nothing is lost, and nobody notices.
func contractAmongFailovers(t *testing.T, servers *redistest.Servers) {
	var all sync.WaitGroup
	stop, done := context.WithCancel(ctx)
	defer all.Wait()
	defer done()
	taken := 0
	all.Go(func() {
		for i := 0; stop.Err() == nil; i++ {
			port := servers.Ports[i%len(servers.Ports)]
			node := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
			if node.ClusterFailover(stop).Err() == nil { // masters refuse
				taken++
				time.Sleep(2 * time.Second)
			}
			_ = node.Close()
		}
	})
	contract(t, Options{Conn: servers.Conn(), Patience: 30 * time.Second})
	done()
	all.Wait()
	if taken == 0 {
		t.Error("no replica has taken over")
	}
}

// masterDies kills a master amid writes: its replica takes over, what was
// checkpointed to the replicas is there, every partition is a prefix, and the
// change is noticed.
func masterDies(t *testing.T, servers *redistest.Servers) {
	const parts = 12
	s := mustOpen(t, Options{Conn: servers.Conn(), Prefix: "dies:", Replicas: 1, Patience: 30 * time.Second})
	defer func() { _ = s.Close() }()
	id, err := s.Identity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	noticed := make(chan string, 1)
	watching, unwatch := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() {
		_ = s.Watch(watching, id, 100*time.Millisecond, func(id string) error {
			noticed <- id
			unwatch()
			return nil
		})
	})
	var safe []int
	with(t, s, parts, func() {
		grown(s, parts, 30)
		for p := range parts {
			safe = append(safe, head(s, []byte("p"+strconv.Itoa(p))))
		}
		if err := s.Checkpoint(ctx); err != nil {
			t.Error(err)
		}
		owner, err := s.client.Of(ctx, s.keys([]byte("p0"))[0])
		if err != nil {
			t.Error(err)
			return
		}
		addr := owner.Options().Addr
		servers.Kill(addr[len("127.0.0.1:"):])
		if now := <-noticed; now == id {
			t.Errorf("the same identity after a fail-over: %s", now)
		}
		grown(s, parts, 60)
	})
	all.Wait()
	for p, n := range safe {
		wantWhole(t, s, []byte("p"+strconv.Itoa(p)), n)
	}
	servers.Again() // the one that died comes back as a replica
	if err := waitFresh(s); err != nil {
		t.Fatal(err)
	}
}

// waitFresh checkpoints until every master has a replica again.
func waitFresh(s *Store) (err error) {
	for range 20 {
		if err = s.Checkpoint(ctx); err == nil {
			return nil
		}
	}
	return err
}
