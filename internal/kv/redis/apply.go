package redis

import (
	"context"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/redisconn"
)

// Apply implements kv.Store.
func (s *Store) Apply(ctx context.Context, batches []kv.Batch) []error {
	if len(batches) == 0 {
		return nil
	}
	c := &call{store: s, errs: make([]error, len(batches))}
	done, err := s.begin(ctx)
	if err != nil {
		c.failFrom(0, err)
		return c.errs
	}
	defer done()
	for i := range batches {
		if err := batches[i].Check(); err != nil {
			c.fail(i, err)
		}
	}
	waves := s.waves(batches, func(i int) bool { return c.errs[i] != nil })
	for i, w := range waves {
		if err := c.send(ctx, w); err != nil {
			for _, later := range waves[i+1:] {
				c.failWave(later, fmt.Errorf("%w: not tried after: %w", kv.ErrUnavailable, err))
			}
			break
		}
	}
	if !c.failed {
		return nil
	}
	return c.errs
}

// call is one Apply under way.
type call struct {
	store  *Store
	errs   []error
	failed bool
}

func (c *call) fail(i int, err error) { c.errs[i], c.failed = err, true }

func (c *call) failFrom(i int, err error) {
	for ; i < len(c.errs); i++ {
		c.fail(i, err)
	}
}

func (c *call) failWave(w *wave, err error) {
	for _, p := range w.parcels {
		c.failParcel(p, err)
	}
}

func (c *call) failParcel(p *parcel, err error) {
	for _, i := range p.batches {
		c.fail(i, err)
	}
}

// send applies a wave. What a server surely did not do is tried again, as long
// as patience lasts; the first other error is returned when all is answered.
func (c *call) send(ctx context.Context, w *wave) error {
	tries := redisconn.Tries{For: c.store.opt.Patience}
	var final error
	for left, first := w.parcels, true; ; first = false {
		var passing error
		answers := c.store.post(ctx, left, !first)
		again := left[:0]
		for i, p := range left {
			cmd := answers[i]
			switch err := c.take(p, cmd); {
			case err == nil:
			case redisconn.NotRun(err):
				again, passing = append(again, p), err
			default:
				final = interrupted(ctx, err)
				c.failParcel(p, final)
				c.store.troubled(ctx, err)
			}
		}
		if left = again; len(left) == 0 {
			return final
		}
		c.store.troubled(ctx, passing)
		to := c.store.client.Moved(ctx, passing)
		for _, p := range left {
			p.server = nil
		}
		left[len(left)-1].server = to // passing is the answer for it
		if final == nil && tries.Next(ctx) {
			continue
		}
		final = interrupted(ctx, passing)
		for _, p := range left {
			c.failParcel(p, final)
		}
		return final
	}
}

// take reads the answer for a parcel: a character a batch.
func (c *call) take(p *parcel, cmd *redis.Cmd) error {
	text, err := cmd.Text()
	if err != nil {
		return err
	}
	if len(text) != len(p.batches) {
		return fmt.Errorf("%w: %q answers %d batches", kv.ErrCorrupt, text, len(p.batches))
	}
	for j, i := range p.batches {
		if text[j] != '1' {
			c.fail(i, kv.ErrConflict)
		}
	}
	c.store.written.Add(int64(p.bytes))
	return nil
}

// post sends parcels to their servers, one pipeline a server, and waits for all
// answers. With teach each server is sent the script itself, too.
func (s *Store) post(ctx context.Context, parcels []*parcel, teach bool) []*redis.Cmd {
	answers := make([]*redis.Cmd, len(parcels))
	routes := make(map[*redis.Client][]int)
	for i, p := range parcels {
		server, err := p.server, error(nil)
		if server == nil {
			server, err = s.client.Of(ctx, p.keys[0])
		}
		if err != nil { // no server is known for it, so none was asked
			answers[i] = redis.NewCmd(ctx)
			answers[i].SetErr(unrouted(err))
			continue
		}
		routes[server] = append(routes[server], i)
	}
	var all sync.WaitGroup
	for server, mine := range routes {
		all.Go(func() {
			pipe := server.Pipeline()
			for n, i := range mine {
				run := writeScript.EvalSha
				if teach && n == 0 {
					run = writeScript.Eval
				}
				answers[i] = run(ctx, pipe, parcels[i].keys, parcels[i].args...)
			}
			_, _ = pipe.Exec(ctx) // each answer has its error
		})
	}
	all.Wait()
	return answers
}

// unrouted marks an error as of something that was not sent.
func unrouted(err error) error {
	if redisconn.NotRun(err) {
		return err
	}
	return fmt.Errorf("%w: %w", redis.ErrPoolTimeout, err)
}
