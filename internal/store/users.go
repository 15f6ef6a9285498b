package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/kv"
)

// Users keeps who exists.
type Users struct{ kv kv.Store }

func newUsers(s kv.Store) *Users { return &Users{kv: s} }

var profileKey = []byte{keyUser}

// Exists reports whether a user was ever made.
func (u *Users) Exists(ctx context.Context, id domain.UserID) (bool, error) {
	_, err := u.kv.Get(ctx, userPartition(id), profileKey)
	if errors.Is(err, kv.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("store: user: %w", err)
	}
	return true, nil
}

// Ensure makes those users that do not exist yet. When it returns they survive
// a loss of power.
func (u *Users) Ensure(ctx context.Context, ids ...domain.UserID) error {
	var batches []kv.Batch
	for _, id := range ids {
		ok, err := u.Exists(ctx, id)
		if err != nil {
			return err
		}
		if !ok {
			batches = append(batches, kv.Batch{
				Partition: userPartition(id),
				If:        []kv.Cond{{Key: profileKey, Absent: true}},
				Ops:       []kv.Op{{Key: profileKey, Value: []byte{layout}}},
			})
		}
	}
	if len(batches) == 0 {
		return nil
	}
	for _, err := range u.kv.Apply(ctx, batches) {
		if err != nil && !errors.Is(err, kv.ErrConflict) {
			return fmt.Errorf("store: make user: %w", err)
		}
	}
	if err := u.kv.Checkpoint(ctx); err != nil {
		return fmt.Errorf("store: make user: %w", err)
	}
	return nil
}
