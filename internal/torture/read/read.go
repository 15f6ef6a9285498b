// Package read takes the final state from a recovered server: every chain,
// every inbox and every list from start to end, by the long link's requests
// alone. Each chain is read by all members, upwards by one and downwards by
// the others; what they see goes into trails, where the checker compares it. In
// the end each user comes back with his position on a second link, which must
// find nothing missing.
package read

import (
	"context"
	"errors"
	"slices"
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
func State(ctx context.Context, addr, dir string, cast []load.User, rooms *load.Rooms, clock trail.Clock) (check.State, error) {
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
		Epoch: readers[0].copy.Epoch, Conversations: rooms.All(), Groups: rooms.Groups(), Ends: map[string]check.End{},
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
	if err := each(readers, func(r *reader) error { return f.user(ctx, r) }); err != nil {
		return err
	}
	if err := each(readers, func(r *reader) error { return f.chains(ctx, r) }); err != nil {
		return err
	}
	for deadline := time.Now().Add(settleLimit); !check.Settled(f.State) && time.Now().Before(deadline); {
		time.Sleep(200 * time.Millisecond)
		if err := each(readers, func(r *reader) error { return f.user(ctx, r) }); err != nil {
			return err
		}
	}
	return each(readers, func(r *reader) error { return f.end(ctx, r) })
}

func (f *final) chains(ctx context.Context, r *reader) error {
	for conv, members := range f.Conversations {
		if err := f.chain(ctx, r, conv, r.user == members[0], r.user == members[1]); err != nil {
			return err
		}
	}
	for conv, keeper := range f.Groups {
		if err := f.chain(ctx, r, conv, r.user == keeper, f.isIn(r.user, conv)); err != nil {
			return err
		}
	}
	return nil
}

// isIn reports whether a group stands in a user's list, and not as left.
func (f *final) isIn(user, conv string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.Lists[user], func(r trail.Row) bool { return r.Conversation == conv && r.Group && !r.Left })
}

// chain reads one, all of it for the state, or its end for the trail.
func (f *final) chain(ctx context.Context, r *reader, conv string, all, end bool) error {
	switch {
	case all:
		chain, err := r.upwards(ctx, conv, 0)
		if err != nil && !errors.Is(err, errRefused) {
			return err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.Chains[conv] = chain
	case end:
		if err := r.downwards(ctx, conv); err != nil && !errors.Is(err, errRefused) {
			return err
		}
	}
	return nil
}

// end notes what a user is told at last, and whether he may come back with it.
func (f *final) end(ctx context.Context, r *reader) error {
	e, err := r.end(ctx)
	if err != nil && !errors.Is(err, errRefused) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Ends[r.user] = e
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
	for conv, keeper := range r.groups {
		f.Groups[conv] = keeper
	}
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
