package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/internal/stream"
)

// brokersVar names the brokers that tests may use; without it the tests that
// need Kafka do not run. "make test-kafka" sets it.
const brokersVar = "MERCHANTIM_TEST_KAFKA"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var places atomic.Int64

// testOptions are of a place of its own on a Kafka that is there for tests.
func testOptions(brokers string) Options {
	return Options{
		Brokers: strings.Split(brokers, ","),
		Prefix:  fmt.Sprintf("t%d-%d.", time.Now().UnixNano(), places.Add(1)),
		Topics:  []stream.Topic{{ID: 1, Name: "single", Partitions: 4}},
		Groups:  []stream.Group{{Name: "single", Topic: 1}},
		// A test waits for a rebalance as long as for a heartbeat.
		HeartbeatInterval: 200 * time.Millisecond, SessionTimeout: 6 * time.Second,
		Replication: 1, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
}

// makeLog migrates and opens.
func makeLog(opt Options) (*Log, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := Migrate(ctx, opt); err != nil {
		return nil, err
	}
	return Open(ctx, opt)
}

func open(t *testing.T, opt Options) *Log {
	t.Helper()
	l, err := makeLog(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
