package app

import (
	"errors"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/metrics"
	"github.com/merchantim/merchantim/internal/version"
)

// watcher tells the metrics what the stages do.
type watcher struct {
	m     *metrics.Metrics
	batch map[string]prometheus.Observer
}

func newWatcher(m *metrics.Metrics) watcher {
	batch := make(map[string]prometheus.Observer)
	for _, name := range []string{"single", "mixed", "list"} {
		batch[name] = m.BatchSize.Get(name)
	}
	return watcher{m, batch}
}

func (w watcher) Batch(stage string, n int) { w.batch[stage].Observe(float64(n)) }
func (w watcher) Answered(accepted int64)   { w.m.AcceptToAnswer.Since(time.UnixMicro(accepted)) }
func (w watcher) Pushed(accepted int64)     { w.m.AcceptToPush.Since(time.UnixMicro(accepted)) }
func (w watcher) Repeated()                 { w.m.DedupeHits.Inc() }
func (w watcher) Parked()                   { w.m.Parked.Inc() }

// watch shows figures that the parts keep anyway.
func (a *App) watch() {
	a.metrics.Watch(metrics.Sources{
		StageLag:            func() map[string]int64 { return a.stream.Stats().Lag },
		JournalPendingBytes: func() int64 { return a.stream.Stats().PendingBytes },
		JournalDiskBytes:    func() int64 { return a.stream.Stats().DiskBytes },
		JournalSyncs:        func() uint64 { return a.stream.Stats().Syncs },
		StorePendingBytes:   a.store.PendingBytes,
		WriteDelaySeconds:   func() float64 { return a.kv.Stats().WriteDelaySeconds },
		WritePaused:         func() bool { return a.kv.Stats().WritePaused },
		StoreDiskBytes:      func() int64 { return a.kv.Stats().DiskBytes },
		HalfOpen:            a.listener.HalfOpen,
		Evicted:             a.listener.Evicted,
		Share:               a.users.Shed.Share,
	})
}

var errCatchingUp = errors.New("the server is still catching up with its log")

// check tells why the server takes no messages now.
func (a *App) check() error {
	if err := a.stream.Err(); err != nil {
		return err
	}
	select {
	case <-a.ready:
		return nil
	default:
		return errCatchingUp
	}
}

func (a *App) status() admin.Status {
	return admin.Status{
		Version: version.String(), PID: os.Getpid(), Node: a.cfg.Node, Data: a.cfg.Data, Ready: a.check() == nil,
		UptimeSeconds: time.Since(a.started).Seconds(), Connections: a.hub.Connections(), StageLag: a.stream.Stats().Lag,
	}
}
