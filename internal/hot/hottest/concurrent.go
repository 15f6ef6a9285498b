package hottest

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/merchantim/merchantim/internal/hot"
)

// before is the order of a set.
func before(a, b hot.Item) bool {
	return a.Score > b.Score || a.Score == b.Score && a.Member > b.Member
}

func descending(items []hot.Item) bool {
	for i := 1; i < len(items); i++ {
		if !before(items[i-1], items[i]) {
			return false
		}
	}
	return true
}

func manyTouch(t *testing.T, s *subject) {
	const people, rounds, members = 6, 300, 40
	s.have("u", item("m0", 0))
	var touching, reading sync.WaitGroup
	for p := range people {
		touching.Go(func() {
			for i := range rounds {
				n := i*people + p
				if err := s.Touch(ctx, "u", item(fmt.Sprintf("m%d", n%members), int64(n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	reading.Go(func() {
		for {
			got, err := s.Top(ctx, "u", nil, members+1)
			if err != nil || !descending(got) || len(got) > members {
				t.Errorf("under way: %v, %v", got, err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	touching.Wait()
	close(done)
	reading.Wait()

	var want []hot.Item
	for n := people*rounds - 1; len(want) < members; n-- {
		want = append(want, item(fmt.Sprintf("m%d", n%members), int64(n)))
	}
	s.want("u", want...)
}

// storage stands for the store: written first, then the set is touched.
type storage struct {
	mu   sync.Mutex
	rows map[string]int64
}

func (st *storage) put(it hot.Item) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.rows[it.Member] = max(st.rows[it.Member], it.Score)
}

func (st *storage) all() []hot.Item {
	st.mu.Lock()
	defer st.mu.Unlock()
	var items []hot.Item
	for m, sc := range st.rows {
		items = append(items, item(m, sc))
	}
	return items
}

// read is what a reader of the list does.
func (st *storage) read(r hot.Recents, set string) ([]hot.Item, error) {
	for {
		items, err := r.Top(ctx, set, nil, 1000)
		if !errors.Is(err, hot.ErrNotFilled) {
			return items, err
		}
		if err := r.Begin(ctx, set); err != nil {
			return nil, err
		}
		if err := r.Fill(ctx, set, st.all()); err != nil && !errors.Is(err, hot.ErrNotFilled) {
			return nil, err
		}
	}
}

// Writers, readers that fill, and one who forgets: when all is quiet the set
// says what the store says.
func fillUnderWay(t *testing.T, s *subject) {
	st := &storage{rows: make(map[string]int64)}
	var g sync.WaitGroup
	for w := range 3 {
		g.Go(func() {
			for i := range 200 {
				it := item(fmt.Sprintf("w%d-%d", w, i%20), int64(i+1))
				st.put(it)
				if err := s.Touch(ctx, "u", it); err != nil {
					t.Error(err)
				}
			}
		})
		g.Go(func() {
			for range 50 {
				if got, err := st.read(s, "u"); err != nil || !descending(got) {
					t.Errorf("under way: %v, %v", got, err)
				}
			}
		})
	}
	g.Go(func() {
		for range 50 {
			if err := s.Forget(ctx, "u"); err != nil {
				t.Error(err)
			}
		}
	})
	g.Wait()
	got, err := st.read(s, "u")
	s.must(err)
	have := make(map[string]int64)
	for _, it := range got {
		have[it.Member] = it.Score
	}
	if !descending(got) || !maps.Equal(have, st.rows) {
		t.Fatalf("the set says %v, the store %v", got, st.rows)
	}
}
