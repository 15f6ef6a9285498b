package metrics

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// other is the label value of everything that has no name of its own, so that
// what a client invents makes no new series.
const other = "other"

// Counters are the children of one labelled counter, resolved beforehand.
type Counters struct{ children map[string]prometheus.Counter }

// Get returns the counter of a label value, or the one of all unknown values.
// Code on the hot path keeps what it returns.
func (c Counters) Get(value string) prometheus.Counter { return pick(c.children, value) }

func counters(values []string, child func(string) prometheus.Counter) Counters {
	return Counters{resolve(values, child)}
}

// Histograms are the children of one labelled histogram, resolved beforehand.
type Histograms struct {
	children map[string]prometheus.Observer
}

// Get returns the histogram of a label value, or the one of all unknown values.
func (h Histograms) Get(value string) prometheus.Observer { return pick(h.children, value) }

func histograms(values []string, child func(string) prometheus.Observer) Histograms {
	return Histograms{resolve(values, child)}
}

func resolve[T any](values []string, child func(string) T) map[string]T {
	all := map[string]T{other: child(other)}
	for _, v := range values {
		all[v] = child(v)
	}
	return all
}

func pick[T any](children map[string]T, value string) T {
	if child, found := children[value]; found {
		return child
	}
	return children[other]
}

// sampleEvery: one in so many latencies is observed. At 50,000 messages a
// second that leaves 3,000 samples a second, enough for a p99.9, and saves the
// clock and the bucket search of the rest.
const sampleEvery = 16

// Latency is a histogram that observes every 16th time only, the first one
// included. Its quantiles are those of all; its count and sum are a 16th.
type Latency struct {
	histogram prometheus.Histogram
	seen      atomic.Uint64
}

// Since observes the time since start, or does nothing if it is not its turn.
func (l *Latency) Since(start time.Time) {
	if (l.seen.Add(1)-1)%sampleEvery == 0 {
		l.histogram.Observe(time.Since(start).Seconds())
	}
}

func (m *Metrics) latency(name, what string) *Latency {
	return &Latency{histogram: m.histogram(name, fmt.Sprintf("Time %s; one in %d is observed.", what, sampleEvery))}
}

// Counter is one counter, so that its users need not know the library.
type Counter = prometheus.Counter
