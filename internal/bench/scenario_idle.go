package bench

import (
	"context"
	"fmt"
	"time"
)

const (
	idleLinks = 10_000
	// idleRest is how long the links are kept before the server is weighed:
	// each has pinged at least once by then.
	idleRest = 30 * time.Second
	// spareFiles are open besides the links, in either process.
	spareFiles = 256
)

func idleScenario(ctx context.Context, r *runner, rep *Report) error {
	links := r.sizeOr(idleLinks)
	if limit := openFiles(); limit < uint64(links+spareFiles) {
		return harness("%d links need as many open files in both processes; %d are allowed (ulimit -Hn)", links, limit)
	}
	return r.serving(ctx, func(t *target) error {
		names := userNames(links)
		tokens, err := t.tokens(ctx, names)
		if err != nil {
			return err
		}
		empty, err := t.weigh(ctx, rssSettle)
		if err != nil {
			return err
		}
		began := time.Now()
		l := newLoad(r.texts)
		defer l.close()
		if err := l.signIn(ctx, t, names, tokens); err != nil {
			return harness("%w", err)
		}
		rep.figure("links", float64(links))
		rep.figure("sign_in_per_s", float64(links)/time.Since(began).Seconds())
		defer l.watch(ctx, t)()
		l.start()
		if err := l.wait(r.durationOr(idleRest)); err != nil {
			return err
		}
		full, err := t.weigh(ctx, 0)
		if err != nil {
			return err
		}
		if err := r.saveHeap(ctx, t); err != nil {
			return err
		}
		each := float64(full-empty) / 1024 / float64(links)
		rep.figure("empty_mb", megabytes(empty))
		rep.figure("full_mb", megabytes(full))
		rep.figure("kib_a_link", each)
		rep.atMost(fmt.Sprintf("RSS a link of %d, KiB", links), each, barIdle)
		return l.lastWords()
	})
}

// saveHeap keeps the server's heap and goroutines, if profiles are wanted.
func (r *runner) saveHeap(ctx context.Context, t *target) error {
	if r.Profiles == "" {
		return nil
	}
	for _, which := range []string{"heap", "goroutine"} {
		if err := t.save(ctx, r.profilePath("idle "+which), which); err != nil {
			return harness("profiling: %w", err)
		}
	}
	return nil
}
