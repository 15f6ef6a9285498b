package limit

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What a refusal says is true to the nanosecond, and no stretch of time gives
// more than the burst and what came in that time.
func TestABucketTellsTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		second, burst := rapid.IntRange(1, 100_000).Draw(t, "per second"), rapid.IntRange(1, 1000).Draw(t, "burst")
		r := PerSecond(second, burst)
		var b Bucket
		now := int64(0)
		var taken []struct{ at, n int64 }
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += rapid.Int64Range(0, 20*r.per).Draw(t, "passed")
			n := rapid.Int64Range(1, int64(burst)).Draw(t, "n")
			if wait := int64(b.Take(r, now, n)); wait > 0 {
				var early, late Bucket
				early.full.Store(b.full.Load())
				late.full.Store(b.full.Load())
				if early.Take(r, now+wait-1, n) == 0 {
					t.Fatalf("%d tokens were there before the %d ns had passed", n, wait)
				}
				if wait := late.Take(r, now+wait, n); wait > 0 {
					t.Fatalf("after the wait, another of %v", wait)
				}
				continue
			}
			taken = append(taken, struct{ at, n int64 }{now, n})
			sum := int64(0)
			for i := len(taken) - 1; i >= 0; i-- {
				sum += taken[i].n
				if most := int64(burst) + (now-taken[i].at)/r.per; sum > most {
					t.Fatalf("%d tokens in %d ns, at most %d", sum, now-taken[i].at, most)
				}
			}
		}
	})
}

func TestABurstIsSharedByAllWhoTake(t *testing.T) {
	const burst, takers = 1000, 8
	r := PerSecond(1, burst)
	var b Bucket
	var got atomic.Int64
	var all sync.WaitGroup
	for range takers {
		all.Go(func() {
			for range burst {
				if b.Take(r, 5, 1) == 0 {
					got.Add(1)
				}
			}
		})
	}
	all.Wait()
	if got.Load() != burst {
		t.Errorf("%d of a burst of %d", got.Load(), burst)
	}
	if b.Full(5) || !b.Full(5+burst*int64(time.Second)) {
		t.Error("the bucket does not know when it is full")
	}
}

func TestOddRates(t *testing.T) {
	var b Bucket
	if b.Take(PerSecond(0, 1), 0, 1000) != 0 || !b.Full(0) {
		t.Error("no limit limits")
	}
	r := PerSecond(1, 2)
	if b.Take(r, 0, 100) != 0 || b.Take(r, 0, 100) != 2*time.Second {
		t.Error("more than the bucket holds is not all that it holds")
	}
	if wait := b.Take(PerSecond(1000, 2), 0, 1); wait != time.Millisecond {
		t.Errorf("the debt of a slower time is kept: %v", wait)
	}
}

func TestTakingDoesNotAllocate(t *testing.T) {
	users := NewUsers(Rates{Sends: PerSecond(10, 100), Asks: PerSecond(10, 100)})
	u := users.Use("alice")
	now := int64(0)
	if n := testing.AllocsPerRun(100, func() {
		now += 1000
		u.Send(now)
		u.Ask(now, 1, true)
		users.Shed.Took(1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSend(b *testing.B) {
	for name, load := range map[string]float64{"free": 0, "busy": 1} {
		b.Run(name, func(b *testing.B) {
			users := NewUsers(Rates{Sends: PerSecond(1_000_000, 1000)})
			users.Shed.Tick(time.Second, load)
			u, now := users.Use("alice"), int64(0)
			b.ReportAllocs()
			for b.Loop() {
				now += 2000
				u.Send(now)
			}
		})
	}
}
