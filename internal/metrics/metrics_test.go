package metrics_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/merchantim/merchantim/internal/metrics"
)

func watched() (*prometheus.Registry, *metrics.Metrics) {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	m.Watch(metrics.Sources{
		StageLag:            func() map[string]int64 { return map[string]int64{"single": 3, "mixed": 0} },
		JournalPendingBytes: func() int64 { return 10 },
		JournalDiskBytes:    func() int64 { return 20 },
		JournalSyncs:        func() uint64 { return 30 },
		StorePendingBytes:   func() int64 { return 40 },
		WriteDelaySeconds:   func() float64 { return 0.5 },
		WritePaused:         func() bool { return true },
		StoreDiskBytes:      func() int64 { return 50 },
		QueueDepth: map[string]func() int64{
			"accept": func() int64 { return 6 },
			"push":   func() int64 { return 7 },
		},
	})
	return registry, m
}

// series gives our own series as "name{labels}" and their value, histograms as
// their count.
func series(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "merchantim_") {
			continue
		}
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, l := range metric.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			name := strings.TrimPrefix(family.GetName(), "merchantim_") + fmt.Sprint(labels)
			all[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue() +
				float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func TestWhatHappensIsCounted(t *testing.T) {
	registry, m := watched()
	m.Connections.Set(2)
	m.SlowClosed.Inc()
	m.Parked.Inc()
	m.DedupeHits.Add(4)
	m.FramesIn.Get("send").Add(5)
	m.FramesOut.Get("msg").Add(6)
	m.FramesIn.Get("invented by a client").Inc()
	m.FramesIn.Get("invented again").Inc()
	m.Errors.Get("overloaded").Inc()
	m.BatchSize.Get("single").Observe(512)
	m.SyncSeconds.Observe(0.001)
	m.FlushSeconds.Observe(0.02)

	got := series(t, registry)
	for name, value := range map[string]float64{
		"connections[]": 2, "slow_closed_total[]": 1, "parked_total[]": 1, "dedupe_hits_total[]": 4,
		"frames_total[direction=in type=send]": 5, "frames_total[direction=out type=msg]": 6,
		"frames_total[direction=in type=other]": 2, "errors_total[code=overloaded]": 1,
		"stage_batch_size[stage=single]": 1, "sync_seconds[]": 1, "store_flush_seconds[]": 1,
		"stage_lag[stage=single]": 3, "stage_lag[stage=mixed]": 0,
		"journal_pending_bytes[]": 10, "journal_disk_bytes[]": 20, "journal_syncs_total[]": 30,
		"store_pending_bytes[]": 40, "store_write_delay_seconds_total[]": 0.5, "store_write_paused[]": 1,
		"store_disk_bytes[]": 50, "queue_depth[queue=accept]": 6, "queue_depth[queue=push]": 7,
	} {
		if v, found := got[name]; !found || v != value {
			t.Errorf("%s is %v (there: %v), not %v", name, v, found, value)
		}
	}
}

func TestOneLatencyInSixteenIsObserved(t *testing.T) {
	registry, m := watched()
	for range 33 {
		m.AcceptToAnswer.Since(time.Now())
	}
	m.AcceptToPush.Since(time.Now())
	got := series(t, registry)
	if got["accept_to_answer_seconds[]"] != 3 || got["accept_to_push_seconds[]"] != 1 {
		t.Errorf("observed %v and %v", got["accept_to_answer_seconds[]"], got["accept_to_push_seconds[]"])
	}
}

func TestLabelsAreTheFewThatAreAllowed(t *testing.T) {
	registry, _ := watched()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "merchantim_") {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, l := range metric.GetLabel() {
				labels = append(labels, l.GetName())
			}
		}
	}
	slices.Sort(labels)
	want := []string{"code", "direction", "queue", "stage", "type"}
	if diff := cmp.Diff(want, slices.Compact(labels)); diff != "" {
		t.Error(diff)
	}
}

func TestAFigureThatNobodyKeepsIsNotShown(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics.New(registry).Watch(metrics.Sources{})
	for name := range series(t, registry) {
		if strings.HasPrefix(name, "stage_lag") || strings.HasPrefix(name, "store_pending") || strings.HasPrefix(name, "queue") {
			t.Errorf("%s is shown", name)
		}
	}
}

func BenchmarkHotPath(b *testing.B) {
	_, m := watched()
	sends, start := m.FramesIn.Get("send"), time.Now()
	for b.Loop() {
		sends.Inc()
		m.AcceptToAnswer.Since(start)
	}
}
