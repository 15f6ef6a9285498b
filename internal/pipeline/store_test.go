package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/kv"
)

// A store that fails for a while, even one that did what it said it could not,
// delays but loses nothing: answers go on until memory is full, then they wait.
func TestTheStoreFailsForAWhile(t *testing.T) {
	for name, effect := range map[string]bool{"without effect": false, "having taken effect": true} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.writer.FlushBytes = 4_000
			s := m.start("bob")
			conv := s.talk("ann", "bob")
			var failures atomic.Int64
			s.kv.fail(func(ctx context.Context, b []kv.Batch) []error {
				failures.Add(1)
				if effect {
					if errs := s.kv.Store.Apply(ctx, b); errs != nil {
						return errs
					}
				}
				return failAll(b, kv.ErrUnavailable)
			})
			const n = 300
			var requests []string
			for i := range n {
				requests = append(requests, s.post(conv, "ann", fmt.Sprint("k", i), "", fmt.Sprintf("%0100d", i)))
			}
			eventually(t, "failures", func() bool { return failures.Load() >= 3 })
			if got := len(s.links.answered()); got >= n {
				t.Errorf("all %d sends were answered with the store down and memory for a few", got)
			}
			if _, _, refusal := s.svc.History(t.Context(), "bob", conv, 0, 10); refusal != nil {
				t.Errorf("history while the store takes no writes: %v", refusal)
			}
			s.kv.fail(nil)
			for i, r := range requests {
				if a := s.links.answer(t, r); a.entry.Index != uint64(i+1) {
					t.Fatalf("send %d: %+v", i, a)
				}
			}
			s.settle("bob", n)
			s.stop()
			s = m.start()
			if got := len(s.history(conv, "bob")); got != n {
				t.Errorf("%d messages, want %d", got, n)
			}
			if got := len(s.inbox("bob")); got != n {
				t.Errorf("%d items, want %d", got, n)
			}
			s.stop()
		})
	}
}

// A zombie, a server that still runs when another has taken over, finds that the
// heads have moved and ends; it changes nothing of what the other wrote.
func TestAZombieIsRefused(t *testing.T) {
	m := newMachine(t)
	s := m.start()
	conv := s.talk("ann", "bob")
	s.send(conv, "ann", "a1", "", "mine")
	eventually(t, "the message in the store", func() bool { return s.stored(conv) == 1 })

	// The other one: its first write comes from the same head as ours.
	head, err := s.kv.Get(t.Context(), append([]byte{'c'}, conv[:]...), []byte{'h'})
	must(t, err)
	theirs := append([]byte(nil), head...)
	theirs[len(theirs)-1] ^= 1
	must(t, errors.Join(s.kv.Store.Apply(t.Context(), []kv.Batch{{
		Partition: append([]byte{'c'}, conv[:]...), Ops: []kv.Op{{Key: []byte{'h'}, Value: theirs}},
	}})...))

	s.send(conv, "ann", "a2", "", "too late")
	if err := s.writers.Wait(); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("the zombie ends with %v, want a conflict", err)
	}
	got, err := s.kv.Get(t.Context(), append([]byte{'c'}, conv[:]...), []byte{'h'})
	must(t, err)
	diff(t, "their head", theirs, got)
	s.endStages()
	must(t, s.stages.Wait())
	s.endWriters()
	must(t, errors.Join(s.log.Close(), s.db.Close()))
}

// Reading fails for a while: the stage waits and goes on with the same record.
func TestReadingFailsForAWhile(t *testing.T) {
	m := newMachine(t)
	s := m.start()
	conv := s.talk("ann", "bob")
	s.send(conv, "ann", "a1", "", "hello")
	s.stop()
	s = m.open()
	s.kv.unreadable.Store(true)
	caught := s.run(m.batch)
	request := s.post(conv, "ann", "a2", "a1", "again")
	eventually(t, "failed reads", func() bool { return s.kv.refused.Load() >= 3 })
	if n := len(s.links.answered()); n != 0 {
		t.Errorf("%d answers without a store to read", n)
	}
	s.kv.unreadable.Store(false)
	if a := s.links.answer(t, request); a.entry.Index != 2 || a.code != domain.Code("") {
		t.Errorf("after it healed: %+v", a)
	}
	<-caught
	s.settle("bob", 2)
	s.stop()
}
