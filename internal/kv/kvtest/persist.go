package kvtest

import (
	"fmt"
	"testing"

	"github.com/merchantim/merchantim/internal/kv"
)

// reopeningFindsAll goes through several lives of one store: what was applied,
// checkpointed or not, is there after an orderly Close, deletions too.
func reopeningFindsAll(t *testing.T, s *subject, f Features) {
	const lives, each = 5, 200
	value := string(fill(300))
	for life := range lives {
		for i := range each {
			key := fmt.Sprintf("%d-%03d", life, i)
			ops := puts(key, key+value, "head", key)
			if life > 0 {
				ops = append(ops, kv.Op{Key: fmt.Appendf(nil, "%d-%03d", life-1, i), Delete: true})
			}
			s.apply(kv.Batch{Partition: p1, Ops: ops}, kv.Batch{Partition: p2, Ops: puts(key, "")})
			if i == each/2 && life%2 == 0 {
				if err := s.Checkpoint(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.Store = f.Reopen(t, s.Store)

		want := []string{}
		for i := range each {
			key := fmt.Sprintf("%d-%03d", life, i)
			want = append(want, key, key+value)
		}
		want = append(want, "head", fmt.Sprintf("%d-%03d", life, each-1))
		s.wantScan(p1, kv.Range{}, want...)
		got, err := s.scan(p2, kv.Range{})
		if err != nil || len(got) != 2*(life+1)*each {
			t.Fatalf("life %d: %d entries of the other partition, %v", life, len(got)/2, err)
		}
	}
}
