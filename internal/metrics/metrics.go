// Package metrics holds every instrument of a server, in one struct that the
// composition root builds and hands on. There is no global registry.
//
// Labels have few values, known when the program is written: a stage, a frame
// type, a code, a queue. Never a tenant, a user or a conversation: their
// number is unbounded, and figures are read by people who may not read chats.
//
// What the hot path touches costs one atomic addition: each child of a labelled
// counter is resolved once, and latencies are sampled (see Latency). Figures
// that others keep anyway are read when they are scraped (see Watch).
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const namespace = "merchantim"

// Stages of the pipeline, the values of label "stage".
var stages = []string{"single", "mixed", "push", "list"}

// frames of the long link, the values of label "type".
var frames = []string{
	"hello", "welcome", "open", "opened", "send", "sent", "history", "messages", "inbox", "entries",
	"list", "conversations", "read", "done", "ping", "pong", "msg", "own", "error",
	"create", "change", "changed", "members", "heads", "presence",
}

// codes of errors, the values of label "code".
var codes = []string{
	"invalid", "unknown_type", "unauthenticated", "forbidden", "not_found", "conflict",
	"predecessor_missing", "too_large", "overloaded", "unavailable", "internal",
}

// Metrics are the instruments. All may be used concurrently.
type Metrics struct {
	// AcceptToAnswer is from a send taken off the socket to its answer queued.
	AcceptToAnswer *Latency
	// AcceptToPush is from a send taken off the socket to its frame queued for a receiver.
	AcceptToPush *Latency
	// SyncSeconds is how long the journal's syncs took; every one is observed.
	SyncSeconds prometheus.Histogram
	// FlushSeconds is how long the store's background writes took.
	FlushSeconds prometheus.Histogram
	// BatchSize is how many records a stage took at once, by stage.
	BatchSize Histograms

	// Connections are open long links.
	Connections prometheus.Gauge
	// SlowClosed are links closed because their client did not read.
	SlowClosed prometheus.Counter
	// FramesIn and FramesOut count frames by type.
	FramesIn, FramesOut Counters
	// Errors counts refused requests by code.
	Errors Counters
	// Parked are records that could not be processed and became dead letters.
	Parked prometheus.Counter
	// DedupeHits are sends that were stored before and answered again.
	DedupeHits prometheus.Counter

	registry prometheus.Registerer
}

// New makes the instruments and registers them, with those of the Go runtime
// and of the process. It panics if the registry has some of them already.
func New(registry prometheus.Registerer) *Metrics {
	m := &Metrics{registry: registry}
	m.AcceptToAnswer = m.latency("accept_to_answer_seconds", "from a send read to its answer queued")
	m.AcceptToPush = m.latency("accept_to_push_seconds", "from a send read to its frame queued for a receiver")
	m.SyncSeconds = m.histogram("sync_seconds", "Time of one sync of the journal.")
	m.FlushSeconds = m.histogram("store_flush_seconds", "Time of one background write of the store.")
	m.BatchSize = m.batchSizes()

	m.Connections = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "connections", Help: "Open long links.",
	})
	registry.MustRegister(m.Connections)
	m.SlowClosed = m.counter("slow_closed_total", "Links closed because their client did not read.")
	m.Parked = m.counter("parked_total", "Records that could not be processed and became dead letters.")
	m.DedupeHits = m.counter("dedupe_hits_total", "Sends stored before and answered again.")
	m.frameCounters()
	m.errorCounters()

	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) histogram(name, help string) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: seconds(),
	})
	m.registry.MustRegister(h)
	return h
}

func (m *Metrics) frameCounters() {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "frames_total", Help: "Frames of the long link, by type and direction.",
	}, []string{"type", "direction"})
	m.registry.MustRegister(vec)
	m.FramesIn = counters(frames, func(t string) prometheus.Counter { return vec.WithLabelValues(t, "in") })
	m.FramesOut = counters(frames, func(t string) prometheus.Counter { return vec.WithLabelValues(t, "out") })
}

func (m *Metrics) errorCounters() {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "errors_total", Help: "Refused requests, by code.",
	}, []string{"code"})
	m.registry.MustRegister(vec)
	m.Errors = counters(codes, func(code string) prometheus.Counter { return vec.WithLabelValues(code) })
}

func (m *Metrics) batchSizes() Histograms {
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "stage_batch_size", Help: "Records that a stage took at once.",
		Buckets: prometheus.ExponentialBuckets(1, 2, 12), // 1 … 2,048
	}, []string{"stage"})
	m.registry.MustRegister(vec)
	return histograms(stages, func(stage string) prometheus.Observer { return vec.WithLabelValues(stage) })
}

// seconds are the buckets of every time: 50 µs to 13 s, each twice the one before.
func seconds() []float64 { return prometheus.ExponentialBuckets(50e-6, 2, 19) }
