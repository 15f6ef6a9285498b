package conversation

import (
	"testing"

	"pgregory.net/rapid"
)

// Unread is what a patient person would count: the countable messages after
// the newest one that he has read or written himself.
func TestUnreadAsCounted(t *testing.T) {
	type entry struct {
		countable, own bool
		n              uint64
	}
	rapid.Check(t, func(t *rapid.T) {
		var chain []entry
		var row Row
		taken, n, read := 0, uint64(0), 0
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				e := entry{countable: rapid.Bool().Draw(t, "countable"), own: rapid.Bool().Draw(t, "own")}
				if e.own = e.own && e.countable; e.countable {
					n++
				}
				e.n = n
				chain = append(chain, e)
			},
			"take": func(t *rapid.T) { // the row may be behind the chain
				if taken == len(chain) {
					t.Skip("nothing new")
				}
				e := chain[taken]
				taken++
				row.Touch(uint64(taken), e.n, int64(taken), e.own)
			},
			"read": func(t *rapid.T) {
				if len(chain) == 0 {
					t.Skip("nothing to read")
				}
				to := rapid.IntRange(1, len(chain)).Draw(t, "index")
				if moved := row.MarkRead(uint64(to), chain[to-1].n); moved != (to > read) {
					t.Fatalf("read %d after %d: moved is %v", to, read, moved)
				}
				read = max(read, to)
			},
			"": func(t *rapid.T) {
				want := uint64(0)
				for i := taken - 1; i >= read && !chain[i].own; i-- {
					if chain[i].countable {
						want++
					}
				}
				if got := row.Unread(); got != want {
					t.Fatalf("unread is %d, counted %d: %+v", got, want, row)
				}
			},
		})
	})
}
