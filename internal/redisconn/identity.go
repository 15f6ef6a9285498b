package redisconn

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Identity names the processes that hold the data now: the run ids of all
// masters. It changes with every restart and fail-over, also with those that
// lost nothing, and when masters come or go.
func (c *Client) Identity(ctx context.Context) (string, error) {
	var mu sync.Mutex
	var ids []string
	err := c.Masters(ctx, func(ctx context.Context, server *redis.Client) error {
		info, err := server.Info(ctx, "server").Result()
		if err != nil {
			return fmt.Errorf("redis: who is %s: %w", server.Options().Addr, err)
		}
		id := Field(info, "run_id")
		if id == "" { // not every server that speaks the protocol has one
			id = server.Options().Addr + "/" + Field(info, "process_id")
		}
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, id)
		return nil
	})
	if err != nil {
		return "", err
	}
	slices.Sort(ids)
	return strings.Join(ids, ","), nil
}

// Field reads a line of an answer to INFO; empty if it is not there.
func Field(info, name string) string {
	for line := range strings.Lines(info) {
		if k, v, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok && k == name {
			return v
		}
	}
	return ""
}
