// Package read takes the final state from a recovered server: every chain,
// every inbox and every list from start to end, by the long link's requests
// alone. Each chain is read by both members, upwards by one and downwards by
// the other; what they see goes into trails, where the checker compares it.
package read

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/merchantim/merchantim/internal/torture/check"
	"github.com/merchantim/merchantim/internal/torture/load"
	"github.com/merchantim/merchantim/internal/torture/trail"
)

// settleLimit is how long inboxes and lists may take to come as far as the
// chains after a recovery.
const settleLimit = 10 * time.Second

// atOnce is how many users read at once.
const atOnce = 4

// State reads everything and leaves a trail of each user in dir. An error
// means that the server does not give it.
func State(ctx context.Context, addr, dir string, cast []load.User, convs map[string][2]string, clock trail.Clock) (check.State, error) {
	var readers []*reader
	closeAll := func() error {
		var errs []error
		for _, r := range readers {
			errs = append(errs, r.close())
		}
		return errors.Join(errs...)
	}
	for _, user := range cast {
		r, err := open(ctx, addr, dir, user, clock)
		if err != nil {
			return check.State{}, errors.Join(err, closeAll())
		}
		readers = append(readers, r)
	}
	f := final{State: check.State{
		Epoch: readers[0].epoch, Conversations: convs,
		Chains: map[string][]trail.Entry{}, Inboxes: map[string][]trail.Entry{}, Lists: map[string][]trail.Row{},
	}}
	err := f.read(ctx, readers)
	return f.State, errors.Join(err, closeAll())
}

// final is the state as it is put together.
type final struct {
	check.State
	mu sync.Mutex
}

func (f *final) read(ctx context.Context, readers []*reader) error {
	if err := each(readers, func(r *reader) error { return f.chains(ctx, r) }); err != nil {
		return err
	}
	for deadline := time.Now().Add(settleLimit); ; time.Sleep(200 * time.Millisecond) {
		if err := each(readers, func(r *reader) error { return f.user(ctx, r) }); err != nil {
			return err
		}
		if check.Settled(f.State) || time.Now().After(deadline) {
			return nil
		}
	}
}

func (f *final) chains(ctx context.Context, r *reader) error {
	for conv, members := range f.Conversations {
		switch r.user {
		case members[0]:
			chain, err := r.upwards(ctx, conv)
			if err != nil && !errors.Is(err, errRefused) {
				return err
			}
			f.mu.Lock()
			f.Chains[conv] = chain
			f.mu.Unlock()
		case members[1]:
			if err := r.downwards(ctx, conv); err != nil && !errors.Is(err, errRefused) {
				return err
			}
		}
	}
	return nil
}

func (f *final) user(ctx context.Context, r *reader) error {
	entries, err := r.inbox(ctx)
	if err != nil && !errors.Is(err, errRefused) {
		return err
	}
	rows, err := r.list(ctx)
	if err != nil && !errors.Is(err, errRefused) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Inboxes[r.user], f.Lists[r.user] = entries, rows
	return nil
}

func each(readers []*reader, do func(*reader) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(readers))
	free := make(chan struct{}, atOnce)
	for i, r := range readers {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			errs[i] = do(r)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
