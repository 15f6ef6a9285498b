package metrics

import "github.com/prometheus/client_golang/prometheus"

// Sources are figures that other packages keep. Each function is called at
// every scrape, from its goroutine, and must be quick. One that is nil is left
// out, so that no figure is shown that nobody keeps.
type Sources struct {
	// StageLag is, by stage, how many durable records it has not taken yet.
	StageLag func() map[string]int64
	// JournalPendingBytes are appended and not yet synced, JournalDiskBytes
	// those on disk, JournalSyncs the syncs so far.
	JournalPendingBytes func() int64
	JournalDiskBytes    func() int64
	JournalSyncs        func() uint64
	// StorePendingBytes are answered and not yet written to the store.
	StorePendingBytes func() int64
	// WriteDelaySeconds is the time that compaction held writers back so far;
	// WritePaused says that it does so now.
	WriteDelaySeconds func() float64
	WritePaused       func() bool
	// StoreDiskBytes are held by the store's files.
	StoreDiskBytes func() int64
	// HalfOpen are connections whose client has not said who it is, Evicted
	// those of them that gave way to newer ones.
	HalfOpen func() int64
	Evicted  func() int64
	// Share is how many requests a second a busy server takes of each user; 0: not busy.
	Share func() float64
	// QueueDepth is, by queue, how many items wait. Names are few and fixed.
	QueueDepth map[string]func() int64
}

// Watch registers the sources. It is called once.
func (m *Metrics) Watch(s Sources) {
	if s.StageLag != nil {
		m.registry.MustRegister(lag{
			read: s.StageLag,
			desc: prometheus.NewDesc(namespace+"_stage_lag", "Durable records that a stage has not taken yet.",
				[]string{"stage"}, nil),
		})
	}
	gauge(m, "journal_pending_bytes", "Bytes appended to the journal and not yet synced.", s.JournalPendingBytes)
	gauge(m, "journal_disk_bytes", "Bytes of the journal's files.", s.JournalDiskBytes)
	count(m, "journal_syncs_total", "Syncs of the journal.", s.JournalSyncs)
	gauge(m, "store_pending_bytes", "Bytes answered and not yet written to the store.", s.StorePendingBytes)
	gauge(m, "store_disk_bytes", "Bytes of the store's files.", s.StoreDiskBytes)
	count(m, "store_write_delay_seconds_total", "Time that compaction held writers back.", s.WriteDelaySeconds)
	if s.WritePaused != nil {
		gauge(m, "store_write_paused", "1 while compaction holds writers back.", func() int64 {
			if s.WritePaused() {
				return 1
			}
			return 0
		})
	}
	gauge(m, "half_open_connections", "Connections that have not said who they are.", s.HalfOpen)
	count(m, "half_open_evicted_total", "Half-open connections that gave way to newer ones.", s.Evicted)
	gauge(m, "user_share", "Requests a second that a busy server takes of each user; 0 if it is not busy.", s.Share)
	for queue, depth := range s.QueueDepth {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "queue_depth", Help: "Items that wait in a queue.",
			ConstLabels: prometheus.Labels{"queue": queue},
		}, func() float64 { return float64(depth()) }))
	}
}

type number interface{ int64 | uint64 | float64 }

func gauge[T number](m *Metrics, name, help string, read func() T) {
	if read != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: name, Help: help,
		}, func() float64 { return float64(read()) }))
	}
}

func count[T number](m *Metrics, name, help string, read func() T) {
	if read != nil {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: namespace, Name: name, Help: help,
		}, func() float64 { return float64(read()) }))
	}
}

// lag is one gauge a stage, read together so that they belong together.
type lag struct {
	read func() map[string]int64
	desc *prometheus.Desc
}

func (l lag) Describe(ch chan<- *prometheus.Desc) { ch <- l.desc }

func (l lag) Collect(ch chan<- prometheus.Metric) {
	for stage, n := range l.read() {
		ch <- prometheus.MustNewConstMetric(l.desc, prometheus.GaugeValue, float64(n), stage)
	}
}
