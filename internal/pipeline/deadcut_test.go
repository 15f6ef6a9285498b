package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/memory"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
)

// cut is a store that dies after some batches, and whose reading of bodies meets
// a defect.
type cut struct {
	kv.Store
	left   int
	defect bool // in the next reading of a body
}

func (c *cut) Get(ctx context.Context, partition, key []byte) ([]byte, error) {
	if c.defect && key[0] == 'b' {
		c.defect = false
		panic("a defect")
	}
	return c.Store.Get(ctx, partition, key)
}

func (c *cut) Apply(ctx context.Context, batches []kv.Batch) []error {
	errs := make([]error, len(batches))
	for i := range batches {
		if c.left--; c.left < 0 {
			errs[i] = kv.ErrClosed
		} else if err := c.Store.Apply(ctx, batches[i:i+1]); err != nil {
			errs[i] = err[0]
		}
	}
	return errs
}

// live takes the records from one on through single and writes the first batches of what they
// did; then the process dies. It returns what went to mixed.
func (c *cut) live(t *testing.T, batches, from int, recs ...[]byte) []record.Mixed {
	t.Helper()
	st := openStore(t, c)
	var records []stream.Record
	for i, value := range recs[from:] {
		records = append(records, at(int64(from+i), value))
	}
	var out []record.Mixed
	for _, r := range fannedOut(t, st, records) {
		var m record.Mixed
		if err := record.DecodeMixed(r.Value, &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	c.write(t, st, batches)
	return out
}

// write writes the first batches of what is pending.
func (c *cut) write(t *testing.T, st *store.Store, batches int) {
	t.Helper()
	c.left = batches
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := store.NewWriter(st, store.WriterOptions{FlushInterval: time.Hour, FlushBytes: 1 << 30, Log: slog.New(slog.DiscardHandler)})
	if err := w.Run(ctx); err != nil && !errors.Is(err, kv.ErrClosed) {
		t.Fatal(err)
	}
	c.left = whole
}

const whole = 1000 // batches, more than there are

// The process dies between any two batches that a dead letter takes, and between
// any two that its replay takes. The log repeats the records, and in the end there
// is one void, one letter in the index, and one message with the index that was
// decided on first, told to its members.
func TestCrashBetweenTheStepsOfADeadLetter(t *testing.T) {
	wish := domain.MessageID{0: 9, 15: 9}
	letter := domain.Place{Position: domain.Position{Incarnation: 1, Offset: 2}}
	recs := [][]byte{
		record.AppendOpen(nil, domain.Origin{}, ann, 1, []domain.UserID{ann, bob}),
		said(1, "a1", ""),
		said(2, "a2", "a1"),
		record.AppendReplay(nil, domain.Origin{}, 2, wish, letter),
		record.AppendReplay(nil, domain.Origin{}, 3, domain.MessageID{8}, letter), // of another operator
	}
	for parked := range 3 {
		for replayed := range 3 {
			t.Run(fmt.Sprint(parked, replayed), func(t *testing.T) {
				c := &cut{Store: memory.New(), left: whole}
				c.live(t, whole, 0, recs[:2]...)
				c.defect = true
				c.live(t, parked, 2, recs[:3]...)
				c.defect = parked == 0 // nothing was stored: it is decided on again
				c.live(t, whole, 2, recs[:3]...)
				c.live(t, replayed, 0, recs...)
				told := c.live(t, whole, 0, recs...)

				if last := told[len(told)-1]; last.Index != 3 || len(last.Concerned) != 2 || last.User != ann {
					t.Errorf("the last that is told of: %+v", last)
				}
				st := openStore(t, c)
				all, err := st.Dead(t.Context(), nil, 10)
				if err != nil {
					t.Fatal(err)
				}
				want := []store.Letter{{
					Conversation: room, Place: letter, Void: 2, Record: recs[2],
					Verdict: store.Verdict{By: wish, Done: true, Index: 3},
				}}
				if d := cmp.Diff(want, all); d != "" {
					t.Errorf("letters (-want +got):\n%s", d)
				}
				m, err := st.Chains.After(t.Context(), room, 0, 10)
				if err != nil || len(m) != 3 || m[1].Kind != chat.Void || m[2].ID != wish || string(m[2].Key) != "a2" {
					t.Errorf("the chain is %+v, %v", m, err)
				}
			})
		}
	}
}

// A wish for a change of members is applied and repeated like one.
func TestReplayOfAParkedGroup(t *testing.T) {
	c := &cut{Store: memory.New(), left: whole}
	id := chat.GroupID(ann, []byte("g"))
	wish := domain.MessageID{0: 9}
	value := record.AppendCreate(nil, domain.Origin{}, &chat.Creation{
		From: ann, ID: domain.MessageID{1}, Title: "Returns", Members: []domain.UserID{bob}, At: 1, Limits: chat.Limits{Members: 10, Large: 5},
	})
	for batches := range 3 {
		st := openStore(t, c)
		x := newSingle(st.Chains, &crowd{}, unwatched{}, 1)
		state, err := x.load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		parked := at(0, value)
		parked.Key = id[:]
		if err := x.park(t.Context(), state, &parked); err != nil { // as an older program did
			t.Fatal(err)
		}
		again := at(1, record.AppendReplay(nil, domain.Origin{}, 2, wish, placeOf(&parked)))
		again.Key = id[:]
		if err := x.step(t.Context(), &again); err != nil {
			t.Fatal(err)
		}
		out := x.fan.take()
		if len(out) != 1 {
			t.Fatalf("%d records for mixed, want 1", len(out))
		}
		var m record.Mixed
		if err := record.DecodeMixed(out[0].Value, &m); err != nil || m.Title != "Returns" || m.Index != 1 {
			t.Errorf("told: %+v, %v", m, err)
		}
		c.write(t, st, batches)
	}
	head, err := openStore(t, c).Chains.Roster(t.Context(), id)
	if err != nil || head.Last != 1 || len(head.Members) != 2 || head.Members[0].Role != chat.Owner {
		t.Errorf("the group is %+v, %v", head, err)
	}
}
