package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/redisconn"
)

// fillItems is how many items one call of the script adds: about 2 ms of the
// server's time.
const fillItems = 2000

// recents runs the script on a set. All that it does is harmless to repeat.
func (e *Engine) recents(ctx context.Context, set, act string, args ...any) (*redis.Cmd, error) {
	return e.run(ctx, redisconn.Passing, recentsScript, e.key('r', set), append([]any{act}, args...)...)
}

func (e *Engine) keep() string { return number(e.opt.KeepRecents.Milliseconds()) }

// Touch implements hot.Recents. A server without memory drops the set: else it
// would look complete without the item.
func (e *Engine) Touch(ctx context.Context, set string, it hot.Item) error {
	_, err := e.recents(ctx, set, "touch", number(it.Score), "m"+it.Member)
	if redis.HasErrorPrefix(err, "OOM") {
		return e.Forget(ctx, set)
	}
	return err
}

// Begin implements hot.Recents.
func (e *Engine) Begin(ctx context.Context, set string) error {
	_, err := e.recents(ctx, set, "begin", e.keep(), nonce())
	return err
}

// Fill implements hot.Recents. Many items go in several steps, which all find
// the same filling: the last completes it.
func (e *Engine) Fill(ctx context.Context, set string, items []hot.Item) error {
	filling, items := "", highest(items)
	for {
		part := items[:min(fillItems, len(items))]
		items = items[len(part):]
		last := "0"
		if len(items) == 0 {
			last = "1"
		}
		args := append(make([]any, 0, 3+2*len(part)), e.keep(), filling, last)
		for _, it := range part {
			args = append(args, number(it.Score), "m"+it.Member)
		}
		cmd, err := e.recents(ctx, set, "fill", args...)
		if err != nil {
			return err
		}
		if filling, err = cmd.Text(); err != nil {
			return fmt.Errorf("hot: %w", err)
		}
		if filling == "" {
			return hot.ErrNotFilled
		}
		if len(items) == 0 {
			return nil
		}
	}
}

// highest leaves one item of each member, that with the highest score: a
// command that names a member twice is nothing to rely on.
func highest(items []hot.Item) []hot.Item {
	scores := make(map[string]int64, len(items))
	for _, it := range items {
		if old, ok := scores[it.Member]; !ok || it.Score > old {
			scores[it.Member] = it.Score
		}
	}
	out := make([]hot.Item, 0, len(scores))
	for m, s := range scores {
		out = append(out, hot.Item{Member: m, Score: s})
	}
	return out
}

// Top implements hot.Recents.
func (e *Engine) Top(ctx context.Context, set string, after *hot.Item, limit int) ([]hot.Item, error) {
	limit = min(max(limit, 0), 1<<31)
	args := []any{e.keep(), ""}
	switch {
	case after == nil || after.Score > hot.MaxScore: // from the top
	case after.Score < 0: // below every item
		limit = 0
	default:
		args = append(args, number(after.Score), "m"+after.Member)
	}
	args[1] = number(int64(limit))
	cmd, err := e.recents(ctx, set, "top", args...)
	if err != nil {
		return nil, err
	}
	out, err := cmd.StringSlice()
	if err != nil {
		return nil, fmt.Errorf("hot: %w", err)
	}
	if len(out) == 0 {
		return nil, hot.ErrNotFilled
	}
	items := make([]hot.Item, 0, len(out)/2)
	for i := 1; i+1 < len(out); i += 2 {
		score, err := strconv.ParseFloat(out[i+1], 64) // exact up to MaxScore
		if err != nil || out[i] == "" {
			return nil, fmt.Errorf("hot: %q with the score %q is no item", out[i], out[i+1])
		}
		items = append(items, hot.Item{Member: out[i][1:], Score: int64(score)})
	}
	return items, nil
}

// Forget implements hot.Recents.
func (e *Engine) Forget(ctx context.Context, set string) error {
	return e.plainly(ctx, func() error { return e.client.Del(ctx, e.key('r', set)).Err() })
}

// plainly runs a command that is harmless to repeat.
func (e *Engine) plainly(ctx context.Context, do func() error) error {
	tries := redisconn.Tries{For: e.opt.Patience}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := do()
		if err == nil {
			return nil
		}
		if !redisconn.Passing(err) || !tries.Next(ctx) {
			return fmt.Errorf("hot: %w", err)
		}
		if redisconn.Elsewhere(err) {
			e.client.Relearn(ctx)
		}
	}
}
