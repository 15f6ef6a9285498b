package pipeline_test

import (
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
)

// moody is a log that takes no fan-out while it is refusing, and loses what it
// took when it is told to, as a journal on a full disk does.
type moody struct {
	stream.Log
	mu       sync.Mutex
	refusing bool
	lose     int // appends of fan-out still to be lost
	lost     int
}

func (l *moody) Append(topic stream.TopicID, recs []stream.Record, done func(error)) error {
	if topic != record.MixedTopic {
		return l.Log.Append(topic, recs, done)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refusing {
		return stream.ErrOverloaded
	}
	if l.lose == 0 {
		return l.Log.Append(topic, recs, done)
	}
	l.lose--
	l.lost++
	l.refusing = true // until all have heard of the loss
	go func() {
		time.Sleep(time.Millisecond)
		done(stream.ErrUnavailable)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.refusing = false
	}()
	return nil
}

// A send refused for its missing predecessor and accepted when sent again is
// fanned out at its own place only. The store is ahead of the inboxes when the
// power goes: its writes were durable, the fan-out was not taken yet.
func TestRefusedThenAcceptedIsRepeatedInOrder(t *testing.T) {
	m := newMachine(t)
	m.partitions = 1
	log := &moody{refusing: true}
	m.wrapLog = func(l stream.Log) stream.Log { log.Log = l; return log }
	s := m.start()
	conv := s.talk("ann", "bob")
	var in []chat.Incoming
	for _, x := range [][2]string{{"second", "first"}, {"first", ""}, {"second", "first"}} {
		in = append(in, chat.Incoming{Send: message(conv, "ann", x[0], x[1], x[0], 1)})
	}
	if refusal := s.svc.Send(in, nil); refusal != nil {
		t.Fatal(refusal)
	}
	eventually(t, "both messages in the store", func() bool { return s.stored(conv) == 2 })
	must(t, s.kv.Checkpoint(t.Context()))
	m.kill(s, mathrand.New(mathrand.NewPCG(1, 1)))

	m.wrapLog = nil
	s = m.open()
	if n := s.stored(conv); n != 2 {
		t.Fatalf("the store came back with %d messages, want 2: this test proves nothing", n)
	}
	<-s.run(m.batch)
	want := []uint64{1, 2}
	for _, u := range []domain.UserID{"ann", "bob"} {
		var got []uint64
		for _, d := range s.inbox(u) {
			got = append(got, d.Item.Entry)
		}
		diff(t, "inbox of "+string(u), want, got)
	}
	s.stop()
}

// Fan-out that the log took and then lost is repeated; nothing of it is left
// out, nothing comes twice or in another order, and answers are not held up.
func TestLostFanOutIsRepeated(t *testing.T) {
	m := newMachine(t)
	log := &moody{}
	m.wrapLog = func(l stream.Log) stream.Log { log.Log = l; return log }
	s := m.start("bob")
	conv := s.talk("ann", "bob")
	const n = 200
	for i := range n {
		if i%50 == 10 {
			log.mu.Lock()
			log.lose++
			log.mu.Unlock()
		}
		if a := s.send(conv, "ann", fmt.Sprint("k", i), "", fmt.Sprint("text ", i)); a.entry.Index != uint64(i+1) {
			t.Fatalf("send %d: %+v", i, a)
		}
	}
	for i, p := range s.links.pushed(t, "bob", n) {
		if p.item.Index != uint64(i+1) || p.item.Entry != uint64(i+1) {
			t.Fatalf("push %d: %+v", i, p)
		}
	}
	if log.lost != 4 {
		t.Errorf("%d times fan-out was lost, want 4", log.lost)
	}
	s.settle("ann", n)
	s.stop()
}
