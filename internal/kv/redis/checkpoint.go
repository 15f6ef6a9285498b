package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/redisconn"
)

// Checkpoint implements kv.Store. Every master is asked for as much as it can
// say: see DESIGN.md.
func (s *Store) Checkpoint(ctx context.Context) error {
	done, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.checkpoint(ctx)
}

func (s *Store) checkpoint(ctx context.Context) error {
	if s.opt.TrustDisk && s.opt.Replicas == 0 {
		return nil
	}
	var mu sync.Mutex
	var size int64
	err := s.patiently(ctx, func() error {
		size = 0
		return s.client.Masters(ctx, func(ctx context.Context, server *redis.Client) error {
			n, err := s.secure(ctx, server)
			mu.Lock()
			defer mu.Unlock()
			size += n
			return err
		})
	})
	if err == nil {
		s.diskSize.Store(size)
	}
	return err
}

// secure makes all that one master has answered durable, and tells the size of
// its append-only file.
func (s *Store) secure(ctx context.Context, server *redis.Client) (size int64, err error) {
	if !s.opt.TrustDisk {
		if size, err = s.synced(ctx, server); err != nil {
			return 0, fmt.Errorf("kv: checkpoint of %s: %w", server.Options().Addr, err)
		}
	}
	if s.opt.Replicas > 0 {
		if err := s.replicated(ctx, server); err != nil {
			return 0, fmt.Errorf("kv: checkpoint of %s: %w", server.Options().Addr, err)
		}
	}
	return size, nil
}

// lagging is how long after a write its sync may begin under "everysec": a
// second, and up to two that the file is not written while a sync is under way.
const lagging = 3 * time.Second

// synced waits until the append-only file is on the disk. With "always" it is
// before the answers are. With "everysec" nothing can be asked (WAITAOF came
// with 7.2 and then takes its place) but whether a sync is under way.
func (s *Store) synced(ctx context.Context, server *redis.Client) (int64, error) {
	start := time.Now()
	for {
		info, err := server.Info(ctx, "persistence").Result()
		if err != nil {
			return 0, err
		}
		if err := logged(info); err != nil {
			return 0, err
		}
		size, _ := strconv.ParseInt(redisconn.Field(info, "aof_current_size"), 10, 64) // for metrics only
		sync, err := server.ConfigGet(ctx, "appendfsync").Result()
		switch {
		case err != nil:
			return 0, err
		case sync["appendfsync"] == "always":
			return size, nil
		case sync["appendfsync"] != "everysec":
			return 0, fmt.Errorf("%w: appendfsync is %q", kv.ErrUnavailable, sync["appendfsync"])
		}
		if asked, err := waitAOF(ctx, server); asked {
			return size, err
		}
		idle := redisconn.Field(info, "aof_pending_bio_fsync") == "0" && redisconn.Field(info, "aof_buffer_length") == "0"
		if idle && time.Since(start) >= lagging {
			return size, nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// logged tells whether the server writes an append-only file, and can.
func logged(info string) error {
	if on := redisconn.Field(info, "aof_enabled"); on != "1" {
		return fmt.Errorf("%w: the server keeps no append-only file (aof_enabled %q)", kv.ErrUnavailable, on)
	}
	if st := redisconn.Field(info, "aof_last_write_status"); st != "ok" {
		return fmt.Errorf("%w: the append-only file cannot be written (%s)", kv.ErrUnavailable, st)
	}
	return nil
}

// waitAOF asks for a sync of all before it; asked is false if the server does
// not know how. It speaks of what its own connection has written, so that one
// writes a mark.
func waitAOF(ctx context.Context, server *redis.Client) (asked bool, err error) {
	n, err := markAndWait(ctx, server, "WAITAOF", 1, 0)
	if redis.HasErrorPrefix(err, "unknown command") {
		return false, nil
	}
	if err == nil && n < 1 {
		err = fmt.Errorf("%w: no sync in time", kv.ErrUnavailable)
	}
	return true, err
}

// replicated waits until enough replicas have received all before it.
func (s *Store) replicated(ctx context.Context, server *redis.Client) error {
	n, err := markAndWait(ctx, server, "WAIT", s.opt.Replicas)
	if err == nil && n < int64(s.opt.Replicas) {
		err = fmt.Errorf("%w: %d of %d replicas have it", kv.ErrUnavailable, n, s.opt.Replicas)
	}
	return err
}

// waitFor is the longest wait of a server, well below the driver's time-out.
const waitFor = 2 * time.Second

// markAndWait sends a write and a command of the WAIT family on one connection.
func markAndWait(ctx context.Context, server *redis.Client, wait string, args ...any) (int64, error) {
	all := append(append([]any{wait}, args...), waitFor.Milliseconds())
	pipe := server.Pipeline()
	// A write that needs no key, so that any node of a cluster takes it.
	mark := pipe.Do(ctx, "PUBLISH", "kv:mark", "")
	cmd := pipe.Do(ctx, all...)
	_, _ = pipe.Exec(ctx) // each answer has its error
	if err := mark.Err(); err != nil {
		return 0, err
	}
	answer, err := cmd.Result()
	if err != nil {
		return 0, err
	}
	if list, ok := answer.([]any); ok && len(list) > 0 { // WAITAOF: local, replicas
		answer = list[0]
	}
	n, ok := answer.(int64)
	if !ok {
		return 0, errors.Join(kv.ErrCorrupt, fmt.Errorf("%s answers %v", wait, answer))
	}
	return n, nil
}
