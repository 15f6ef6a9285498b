// Package limit is what keeps one client from taking what others need: rates of
// users and links, fair shares while the server is busy, and counts of
// connections by address.
//
// What it promises. A bucket is one number, and taking from it is a few
// nanoseconds without a lock or an allocation. A refusal says how long to wait,
// and after that time the same is allowed. Memory is bounded: a user is
// forgotten when he has no link and nothing to wait for, an address when it has
// no connection.
//
// What it refuses to know: sockets beyond their addresses, frames, clocks. Time
// is passed in, as nanoseconds since any fixed moment.
package limit

import (
	"sync/atomic"
	"time"
)

// Rate is how fast a bucket fills and how much it holds. The zero Rate is no
// limit.
type Rate struct {
	per   int64 // ns a token
	depth int64 // ns until an empty bucket is full
}

// PerSecond is n tokens a second and at most burst at once; n = 0 is no limit.
func PerSecond(n, burst int) Rate {
	if n <= 0 {
		return Rate{}
	}
	per := int64(time.Second) / int64(n)
	return Rate{per: max(per, 1), depth: max(per, 1) * int64(max(burst, 1))}
}

// Bucket holds tokens. The zero value is full. It may be used concurrently.
type Bucket struct {
	full atomic.Int64 // the moment at which all tokens are back
}

// Take takes n tokens, or none and says how long they are still missing. More
// than the bucket holds counts as all that it holds.
func (b *Bucket) Take(r Rate, now, n int64) (wait time.Duration) {
	if r.per == 0 {
		return 0
	}
	cost := min(n*r.per, r.depth)
	for {
		full := b.full.Load()
		// A rate that rose since leaves no old debt.
		at := min(max(full, now), now+r.depth)
		if missing := at + cost - now - r.depth; missing > 0 {
			return time.Duration(missing)
		}
		if b.full.CompareAndSwap(full, at+cost) {
			return 0
		}
	}
}

// Full reports whether all tokens are there.
func (b *Bucket) Full(now int64) bool { return b.full.Load() <= now }
