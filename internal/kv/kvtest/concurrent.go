package kvtest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/merchantim/merchantim/internal/kv"
)

// counterIsLinearizable lets several writers raise one number, each by compare
// and set: no increment may be lost, none may happen twice.
func counterIsLinearizable(t *testing.T, s *subject) {
	const writers, each = 8, 50
	s.put(p1, "n", "0")
	var wg sync.WaitGroup
	fail := make(chan error, writers)
	for w := range writers {
		wg.Go(func() {
			for range each {
				if err := increment(s, w); err != nil {
					fail <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(fail)
	for err := range fail {
		t.Fatal(err)
	}
	s.wantGet(p1, "n", strconv.Itoa(writers*each))
	marks := 0
	if err := s.Scan(ctx, p2, kv.Range{}, func(_, _ []byte) error { marks++; return nil }); err != nil || marks != 0 {
		t.Fatalf("%d batches of refused increments took effect: %v", marks, err)
	}
}

// increment tries until its condition holds. Each try leaves a mark under the
// number it makes, which must not be there yet.
func increment(s *subject, writer int) error {
	for {
		old, err := s.Get(ctx, p1, []byte("n"))
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(old))
		if err != nil {
			return err
		}
		next := strconv.Itoa(n + 1)
		errs := s.Apply(ctx, []kv.Batch{{
			Partition: p1,
			If:        append(equal("n", string(old)), absent("made "+next)...),
			Ops:       puts("n", next, "made "+next, strconv.Itoa(writer)),
		}})
		if errs == nil {
			return nil
		}
		if !errors.Is(errs[0], kv.ErrConflict) {
			return errs[0]
		}
	}
}

// batchIsAtomic moves a token between keys while readers look.
func batchIsAtomic(t *testing.T, s *subject) {
	const moves = 400
	s.put(p1, "token 0", "x")
	done := make(chan struct{})
	var wg sync.WaitGroup
	fail := make(chan error, 4)
	for range cap(fail) {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got, err := s.scan(p1, kv.Range{})
				if err == nil && len(got) != 2 {
					err = fmt.Errorf("saw %q", got)
				}
				if err != nil {
					fail <- err
					return
				}
			}
		})
	}
	for i := range moves {
		from, to := fmt.Sprintf("token %d", i%7), fmt.Sprintf("token %d", (i+1)%7)
		s.apply(kv.Batch{Partition: p1, Ops: append(puts(to, "x"), kv.Op{Key: []byte(from), Delete: true})})
	}
	close(done)
	wg.Wait()
	close(fail)
	for err := range fail {
		t.Fatal(err)
	}
}

// closeAmongReaders closes the store while others use it: they either get
// their answer or ErrClosed.
func closeAmongReaders(t *testing.T, s *subject) {
	for i := range 100 {
		s.put(p1, strconv.Itoa(i), "v")
	}
	var wg sync.WaitGroup
	fail := make(chan error, 6)
	started := make(chan struct{}, cap(fail))
	for i := range cap(fail) {
		wg.Go(func() {
			started <- struct{}{}
			for n := 0; ; n++ {
				err := touchAll(s, i, n)
				if errors.Is(err, kv.ErrClosed) {
					return
				}
				if err != nil {
					fail <- err
					return
				}
			}
		})
	}
	for range cap(fail) {
		<-started
	}
	s.close()
	wg.Wait()
	close(fail)
	for err := range fail {
		t.Fatal(err)
	}
	s.close()
}

// touchAll does one of what callers do.
func touchAll(s *subject, who, n int) error {
	switch who % 3 {
	case 0:
		_, err := s.Get(ctx, p1, []byte(strconv.Itoa(n%100)))
		return err
	case 1:
		_, err := s.scan(p1, kv.Range{})
		return err
	}
	errs := s.Apply(ctx, []kv.Batch{{Partition: p1, Ops: puts(strconv.Itoa(n%100), "w")}})
	return errors.Join(errs...)
}
