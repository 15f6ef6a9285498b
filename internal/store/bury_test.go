package store

import (
	"context"
	"testing"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/kv/memory"
)

// A void and its dead letter go into one batch, wherever the writer cuts: else
// a loss of power between two batches leaves a void that the replay makes again.
func TestAVoidIsStoredWithItsDeadLetter(t *testing.T) {
	const records = 3000
	st := openOn(t, memory.New())
	id := domain.DirectID("ann", "bob")
	s, err := st.Chains.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	s.Open([]domain.UserID{"ann", "bob"}, domain.Position{Incarnation: 1})
	body := make([]byte, 3*maxPendingChain/records) // so that batches are full now and then
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for i := range records {
			pos := domain.Position{Incarnation: 1, Offset: int64(i + 1)}
			out := s.Park(1, pos)
			st.Chains.Bury(s, domain.Place{Position: pos}, []byte("garbage"), &out, body)
		}
	}()
	voids, cuts := 0, 0
	for last := false; !last; {
		last = ctx.Err() != nil
		for _, p := range st.Chains.freeze() {
			n := 0
			for _, r := range p.runs {
				n += int(r.end() - r.first)
			}
			if n != len(p.dead) {
				t.Fatalf("a batch has %d voids and %d dead letters", n, len(p.dead))
			}
			voids += n
			cuts++
		}
		st.Chains.pending.drop()
	}
	if voids != records || cuts < 3 {
		t.Errorf("%d voids in %d batches, want %d in some", voids, cuts, records)
	}
}
