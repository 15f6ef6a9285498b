//go:build kafka

package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
)

// brokersVar names the brokers that the tests may use: "make test-kafka" starts
// one and sets it.
const brokersVar = "MERCHANTIM_TEST_KAFKA"

const script = "../../../deploy/local/kafka/kafka.sh"

var places atomic.Int64

func brokers(t *testing.T) string {
	t.Helper()
	b := os.Getenv(brokersVar)
	if b == "" {
		t.Fatalf("%s is not set: use make test-kafka", brokersVar)
	}
	return b
}

// testOptions are of a place of its own on a Kafka that is there for tests.
func testOptions(brokers string) Options {
	return Options{
		Brokers: strings.Split(brokers, ","),
		Prefix:  fmt.Sprintf("t%d-%d.", time.Now().UnixNano(), places.Add(1)),
		Topics:  []stream.Topic{{ID: 1, Name: "single", Partitions: 4}},
		Groups:  []stream.Group{{Name: "single", Topic: 1}},
		// A test waits for a rebalance as long as for a heartbeat.
		HeartbeatInterval: 200 * time.Millisecond, SessionTimeout: 6 * time.Second,
		WatchInterval: 300 * time.Millisecond,
		Logger:        slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
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

// ownKafka starts brokers that a test may kill.
func ownKafka(t *testing.T, n int) (dir, brokers string) {
	t.Helper()
	dir = t.TempDir()
	t.Cleanup(func() { kafkaScript(t, "stop", dir) })
	return dir, kafkaScript(t, "start", dir, fmt.Sprint(n))
}

func kafkaScript(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(script, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kafka.sh %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

func rec(partition int32, value string) stream.Record {
	return stream.Record{Partition: partition, Key: []byte("k"), Value: []byte(value)}
}

// put appends and waits.
func put(l *Log, recs ...stream.Record) error {
	answer := make(chan error, 1)
	if err := l.Append(1, recs, func(err error) { answer <- err }); err != nil {
		return err
	}
	return <-answer
}

func mustPut(t *testing.T, l *Log, recs ...stream.Record) {
	t.Helper()
	if err := put(l, recs...); err != nil {
		t.Fatal(err)
	}
}

// eater consumes the group "single" and remembers, by partition, what came.
type eater struct {
	mu       sync.Mutex
	got      map[int32][]stream.Record
	owned    map[int32]int // owners at work
	overlap  bool
	progress chan struct{}
}

func newEater() *eater {
	return &eater{got: map[int32][]stream.Record{}, owned: map[int32]int{}, progress: make(chan struct{}, 1)}
}

// own commits all it is given.
func (e *eater) own(ctx context.Context, p stream.Partition) error {
	e.hold(p.ID(), +1)
	defer e.hold(p.ID(), -1)
	var buf []stream.Record
	for {
		var err error
		if buf, err = p.Next(ctx, buf[:0], 50); err != nil {
			return err
		}
		e.mu.Lock()
		e.got[p.ID()] = append(e.got[p.ID()], buf...)
		e.mu.Unlock()
		if err := p.Commit(buf[len(buf)-1].Position.Offset + 1); err != nil {
			return err
		}
		e.tell()
	}
}

func (e *eater) hold(p int32, by int) {
	e.mu.Lock()
	e.owned[p] += by
	e.overlap = e.overlap || e.owned[p] > 1
	e.mu.Unlock()
	e.tell()
}

func (e *eater) tell() {
	select {
	case e.progress <- struct{}{}:
	default:
	}
}

// until waits for a condition on what came, which holds e.mu.
func (e *eater) until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	limit := time.After(90 * time.Second)
	for {
		e.mu.Lock()
		ok := cond()
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-e.progress:
		case <-time.After(50 * time.Millisecond):
		case <-limit:
			t.Fatalf("waited too long for %s; %s", what, e)
		}
	}
}

// String tells how far it is.
func (e *eater) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, r := range e.got {
		n += len(r)
	}
	return fmt.Sprintf("%d records came, owned: %v", n, e.owned)
}

// values are the different ones of a partition in the order of their first coming.
func (e *eater) values(p int32) []string {
	var all []string
	seen := map[string]bool{}
	for _, r := range e.got[p] {
		if v := string(r.Value); !seen[v] {
			seen[v] = true
			all = append(all, v)
		}
	}
	return all
}

// start consumes until stop is called, which returns what Consume said.
func (e *eater) start(l *Log) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Consume(ctx, "single", e.own) }()
	return func() error {
		cancel()
		return <-done
	}
}

// attend consumes until the test ends.
func (e *eater) attend(t *testing.T, l *Log) {
	stop := e.start(l)
	t.Cleanup(func() {
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("consume ended with %v", err)
		}
	})
}
