package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/merchantim/merchantim/internal/kv"
)

// portError says in the port's words what the driver or a server said.
func portError(err error) error {
	switch {
	case err == nil, errors.Is(err, kv.ErrUnavailable), errors.Is(err, kv.ErrCorrupt), errors.Is(err, kv.ErrTooLarge):
		return err
	case errors.Is(err, redis.Nil):
		return kv.ErrNotFound
	case errors.Is(err, redis.ErrClosed):
		return kv.ErrClosed
	case redis.HasErrorPrefix(err, "WRONGTYPE"), redis.HasErrorPrefix(err, "DAMAGED"):
		return fmt.Errorf("%w: %w", kv.ErrCorrupt, err)
	}
	return fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
}

// interrupted is the error of what was given up: the caller's own, if he left.
func interrupted(ctx context.Context, err error) error {
	if gone := ctx.Err(); gone != nil {
		return fmt.Errorf("%w: %w", kv.ErrUnavailable, errors.Join(gone, err))
	}
	return portError(err)
}
