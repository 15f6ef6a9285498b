package bench

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram has subBuckets linear buckets for each power of two, so a value
// read from it is at most 1/subBuckets (1.6 %) above the one recorded.
const (
	subBits    = 6
	subBuckets = 1 << subBits
	// maxExponent bounds a latency to 2^41 ns, over half an hour; longer ones
	// count as that.
	maxExponent = 41
	buckets     = (maxExponent - subBits + 1) * subBuckets
)

// histogram counts durations; its zero value is empty. Record may be called
// from any number of goroutines; the readers see every value recorded before
// they began.
type histogram struct {
	counts [buckets]atomic.Uint64
	total  atomic.Uint64
}

// bucketOf returns the bucket of a duration in nanoseconds. Values below
// subBuckets have a bucket each; above, the top subBits+1 bits choose.
func bucketOf(ns int64) int {
	if ns < 0 {
		ns = 0
	}
	if ns >= 1<<maxExponent {
		return buckets - 1
	}
	shift := bits.Len64(uint64(ns)) - subBits - 1
	if shift <= 0 {
		return int(ns)
	}
	return shift*subBuckets + int(ns>>shift)
}

// highest returns the largest number of nanoseconds that falls into a bucket.
func highest(bucket int) int64 {
	if bucket < 2*subBuckets {
		return int64(bucket)
	}
	shift := bucket/subBuckets - 1
	low := int64(bucket-shift*subBuckets) << shift
	return low + 1<<shift - 1
}

// record counts one duration in nanoseconds; a negative one counts as 0.
func (h *histogram) record(ns int64) {
	h.counts[bucketOf(ns)].Add(1)
	h.total.Add(1)
}

// add takes over what another has recorded so far.
func (h *histogram) add(o *histogram) {
	for i := range o.counts {
		if n := o.counts[i].Load(); n > 0 {
			h.counts[i].Add(n)
			h.total.Add(n)
		}
	}
}

// count returns how many durations were recorded.
func (h *histogram) count() uint64 { return h.total.Load() }

// quantile returns the smallest bucket bound that at least the share q (0 to 1)
// of the recorded durations do not exceed; 0 if none was recorded.
func (h *histogram) quantile(q float64) time.Duration {
	total := h.total.Load()
	if total == 0 {
		return 0
	}
	rank := uint64(q*float64(total) + 0.999999)
	rank = min(max(rank, 1), total)
	var seen uint64
	for i := range h.counts {
		seen += h.counts[i].Load()
		if seen >= rank {
			return time.Duration(highest(i))
		}
	}
	return time.Duration(highest(buckets - 1))
}
