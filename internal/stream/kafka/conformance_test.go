//go:build kafka

package kafka

import (
	"testing"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/streamtest"
)

// TestConformance: X8, M51, M55: the port's contract on a real Kafka.
func TestConformance(t *testing.T) {
	brokers := brokers(t)
	streamtest.Run(t, streamtest.Engine{
		New: func(*testing.T) streamtest.Opener {
			prefix := testOptions(brokers).Prefix
			return func(c streamtest.Config) (stream.Log, error) {
				opt := testOptions(brokers)
				opt.Prefix, opt.Topics, opt.Groups = prefix, c.Topics, c.Groups
				opt.MaxRecordBytes, opt.FetchBytes = 64<<10, 32<<10
				return makeLog(opt)
			}
		},
		MaxRecordBytes: 64 << 10,
		Many:           20_000,
		Remote:         true,
	})
}
