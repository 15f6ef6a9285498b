package redis

import (
	"context"
	_ "embed" // for the script
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/redisconn"
)

var (
	//go:embed nodes.lua
	nodesText string

	nodesScript = redis.NewScript(nodesText)

	_ hot.Routes = (*Engine)(nil)
	_ hot.Rates  = (*Engine)(nil)
)

// routeUsers is how many users one pipeline asks for.
const routeUsers = 500

// Enter implements hot.Routes.
func (e *Engine) Enter(ctx context.Context, node string, users []string, ttl time.Duration) error {
	_, err := e.ofUsers(ctx, users, "enter", node, number(ttl.Microseconds()))
	return err
}

// Where implements hot.Routes.
func (e *Engine) Where(ctx context.Context, users []string) ([][]string, error) {
	all, err := e.ofUsers(ctx, users, "where")
	for _, nodes := range all {
		slices.Sort(nodes)
	}
	return all, err
}

// ofUsers runs the script for each user, many in a pipeline. All of it is
// harmless to repeat.
func (e *Engine) ofUsers(ctx context.Context, users []string, args ...any) ([][]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all := make([][]string, 0, len(users))
	for part := range slices.Chunk(users, routeUsers) {
		tries := redisconn.Tries{For: e.opt.Patience}
		for {
			answers, err := e.pipeline(ctx, part, args)
			if err == nil {
				all = append(all, answers...)
				break
			}
			if !redisconn.Passing(err) {
				return nil, fmt.Errorf("hot: %w", err)
			}
			e.teach(ctx, err)
			if !tries.Next(ctx) {
				return nil, fmt.Errorf("hot: %w", err)
			}
		}
	}
	return all, nil
}

func (e *Engine) pipeline(ctx context.Context, users []string, args []any) ([][]string, error) {
	pipe := e.client.Pipeline()
	cmds := make([]*redis.Cmd, len(users))
	for i, u := range users {
		cmds[i] = nodesScript.EvalSha(ctx, pipe, []string{e.key('n', u)}, args...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	all := make([][]string, len(users))
	for i, cmd := range cmds {
		var err error
		if all[i], err = cmd.StringSlice(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// teach gives the servers the script, if that was the fault; an error shows at
// the next try.
func (e *Engine) teach(ctx context.Context, fault error) {
	if redisconn.Elsewhere(fault) {
		e.client.Relearn(ctx)
	}
	if redis.HasErrorPrefix(fault, "NOSCRIPT") {
		_ = e.client.Masters(ctx, func(ctx context.Context, server *redis.Client) error {
			return nodesScript.Load(ctx, server).Err()
		})
	}
}

// Leave implements hot.Routes. A key whose last node leaves is gone.
func (e *Engine) Leave(ctx context.Context, node, user string) error {
	return e.plainly(ctx, func() error { return e.client.ZRem(ctx, e.key('n', user), node).Err() })
}

// Take implements hot.Rates. A take whose answer was lost is an error: it may
// have counted.
func (e *Engine) Take(ctx context.Context, key string, r hot.Rate, n int) (time.Duration, error) {
	cmd, err := e.run(ctx, redisconn.NotRun, nodesScript, e.key('b', key),
		"take", number(r.Every.Microseconds()), number(int64(r.Burst)), number(int64(n)))
	if err != nil {
		return 0, err
	}
	out, err := cmd.StringSlice()
	if err != nil || len(out) != 1 {
		return 0, fmt.Errorf("hot: take answers %q: %w", out, err)
	}
	us, err := strconv.ParseInt(out[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("hot: take: %w", err)
	}
	return time.Duration(us) * time.Microsecond, nil
}
