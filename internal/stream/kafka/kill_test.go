//go:build kafka

package kafka

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
)

// TestBrokerKilled: X1, M51: the broker is killed amid appends and comes back:
// whatever was answered is there, once or (a repeated request) twice, in order.
func TestBrokerKilled(t *testing.T) {
	dir, brokers := ownKafka(t, 1)
	l := open(t, testOptions(brokers))
	e := newEater()
	e.attend(t, l)
	var answered atomic.Int64
	feed := func(from, to int) <-chan error {
		done := make(chan error, 1)
		go func() {
			for i := from; i < to; i++ {
				if err := put(l, rec(int32(i%4), fmt.Sprint(i))); err != nil {
					done <- fmt.Errorf("record %d: %w", i, err)
					return
				}
				answered.Add(1)
			}
			done <- nil
		}()
		return done
	}
	if err := <-feed(0, 100); err != nil {
		t.Fatal(err)
	}
	more := feed(100, 400)
	for answered.Load() < 150 {
		time.Sleep(time.Millisecond)
	}
	kafkaScript(t, "kill", dir, "1")
	kafkaScript(t, "start", dir)
	if err := <-more; err != nil {
		t.Fatal(err)
	}
	e.until(t, "all records", func() bool {
		return len(e.values(0)) == 100 && len(e.values(1)) == 100 && len(e.values(2)) == 100 && len(e.values(3)) == 100
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	for p := range int32(4) {
		for i, v := range e.values(p) {
			if v != fmt.Sprint(4*i+int(p)) {
				t.Fatalf("partition %d: record %d is %s", p, i, v)
			}
		}
	}
	t.Logf("copies: %d", l.Repeats())
}

// TestNoBroker: without a broker appends fail in the end, all of them, and none
// is taken until it is back; then it goes on.
func TestNoBroker(t *testing.T) {
	dir, brokers := ownKafka(t, 1)
	opt := testOptions(brokers)
	opt.DeliveryTimeout, opt.MaxPendingBytes, opt.MaxRecordBytes = 2*time.Second, 64<<10, 32<<10
	l := open(t, opt)
	mustPut(t, l, rec(0, "before"))
	kafkaScript(t, "kill", dir, "1")
	answers := make(chan error, 100)
	taken := 0
	var refused error
	for refused == nil {
		r := rec(int32(taken%4), strings.Repeat("x", 16<<10))
		if refused = l.Append(1, []stream.Record{r}, func(err error) { answers <- err }); refused == nil {
			taken++
		}
	}
	if !errors.Is(refused, stream.ErrOverloaded) || taken != 3 {
		t.Fatalf("after %d appends: %v", taken, refused)
	}
	for range taken {
		if err := <-answers; !errors.Is(err, stream.ErrUnavailable) {
			t.Fatalf("an append without a broker was answered %v", err)
		}
	}
	if err := l.Append(1, []stream.Record{rec(0, "x")}, nil); !errors.Is(err, stream.ErrUnavailable) {
		t.Fatalf("append while the broker is away: %v", err)
	}
	kafkaScript(t, "start", dir)
	for err := errors.New("none yet"); err != nil; {
		if err = put(l, rec(0, "after")); err != nil && !errors.Is(err, stream.ErrUnavailable) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := l.Stats().PendingBytes; n != 0 {
		t.Fatalf("%d bytes are pending after everything was answered", n)
	}
}

// TestPassword: every mechanism, and a wrong password.
func TestPassword(t *testing.T) {
	dir, _ := ownKafka(t, 1)
	opt := testOptions(kafkaScript(t, "sasl", dir))
	for _, m := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		opt.Security = Security{Mechanism: m, User: "merchantim", Password: "loopback"}
		l := open(t, opt)
		mustPut(t, l, rec(0, m))
		l.Close()
	}
	opt.Security.Password = "wrong"
	opt.RequestTimeout = 3 * time.Second
	if f := Check(t.Context(), opt); f[0].Err == nil {
		t.Fatal("a wrong password was taken")
	}
}

// TestThreeBrokers: X1: with three brokers, one that is killed costs nothing but
// a pause, Check has nothing to say before and something after.
func TestThreeBrokers(t *testing.T) {
	dir, brokers := ownKafka(t, 3)
	opt := testOptions(brokers)
	l := open(t, opt)
	for len(complaints(t, opt)) > 0 { // followers take a moment to be in sync
		time.Sleep(100 * time.Millisecond)
	}
	e := newEater()
	e.attend(t, l)
	const n = 120
	for i := range n {
		if i == n/3 {
			kafkaScript(t, "kill", dir, "2")
		}
		mustPut(t, l, rec(int32(i%4), fmt.Sprint(i)))
	}
	e.until(t, "all records", func() bool {
		return len(e.values(0)) == n/4 && len(e.values(1)) == n/4 && len(e.values(2)) == n/4 && len(e.values(3)) == n/4
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	for p := range int32(4) {
		for i, v := range e.values(p) {
			if v != fmt.Sprint(4*i+int(p)) {
				t.Fatalf("partition %d: record %d is %s", p, i, v)
			}
		}
	}
	if len(complaints(t, opt)) == 0 {
		t.Error("check does not mind that a broker is gone")
	}
}

func complaints(t *testing.T, opt Options) []Finding {
	t.Helper()
	var bad []Finding
	for _, f := range Check(t.Context(), opt) {
		if f.Err != nil {
			bad = append(bad, f)
		}
	}
	return bad
}
