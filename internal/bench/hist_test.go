package bench

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBucketsCoverEveryDurationOnce(t *testing.T) {
	next := int64(0)
	for b := range buckets {
		if got := bucketOf(next); got != b {
			t.Fatalf("duration %d falls into bucket %d, not %d", next, got, b)
		}
		top := highest(b)
		if got := bucketOf(top); got != b {
			t.Fatalf("the top %d of bucket %d falls into %d", top, b, got)
		}
		next = top + 1
	}
	if next != 1<<maxExponent {
		t.Errorf("the buckets end at %d, want %d", next, int64(1)<<maxExponent)
	}
	if bucketOf(math.MaxInt64) != buckets-1 || bucketOf(-5) != 0 {
		t.Error("durations outside the range do not fall into the outer buckets")
	}
}

func TestQuantileIsThatOfTheSortedValuesWithinTheResolution(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 1, 500).Draw(t, "values")
		q := rapid.Float64Range(0.001, 1).Draw(t, "q")
		var h histogram
		for _, v := range values {
			h.record(v)
		}
		slices.Sort(values)
		rank := max(int(math.Ceil(q*float64(len(values))-1e-6)), 1)
		exact := values[rank-1]
		got := int64(h.quantile(q))
		if got < exact || float64(got) > float64(exact)*(1+1.0/subBuckets)+1 {
			t.Fatalf("quantile %v of %d values: %d, exactly %d", q, len(values), got, exact)
		}
	})
}

func TestAnEmptyHistogramHasNoLatency(t *testing.T) {
	var h histogram
	if got := h.quantile(0.99); got != time.Duration(0) || h.count() != 0 {
		t.Errorf("empty histogram: p99 %v of %d", got, h.count())
	}
}
