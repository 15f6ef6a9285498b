package app

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/gateway/rest"
	"github.com/merchantim/merchantim/internal/gateway/ws"
	"github.com/merchantim/merchantim/internal/metrics"
	"github.com/merchantim/merchantim/internal/pipeline"
)

// What the second link adds to the first one's way, while nobody uses it.
func BenchmarkTheShortLinkUnused(b *testing.B) {
	m := metrics.New(prometheus.NewRegistry())
	hub := ws.NewHub(ws.Options{Node: 1, Metrics: m, Log: quiet, Heartbeat: time.Minute})
	defer hub.Close(b.Context())
	short, err := rest.New(rest.Options{Node: 1, Metrics: m, Log: quiet})
	if err != nil {
		b.Fatal(err)
	}
	entry, message := &chat.Entry{Key: []byte("k")}, &chat.Message{}
	for name, o := range map[string]pipeline.Outbox{
		"alone": hub.Outbox(), "both": links{hub, short.Links()}.Outbox(),
	} {
		b.Run(name+"/sent", func(b *testing.B) {
			for b.Loop() {
				o.Sent(domain.Origin{Node: 1, Conn: 1}, domain.ConversationID{}, entry)
			}
		})
		b.Run(name+"/push", func(b *testing.B) {
			for b.Loop() {
				if !o.Online("alice") {
					o.Push("alice", user.Item{}, domain.Origin{}, message)
				}
			}
		})
		b.Run(name+"/flush", func(b *testing.B) {
			for b.Loop() {
				o.Flush()
			}
		})
	}
}
