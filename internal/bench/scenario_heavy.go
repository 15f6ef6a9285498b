package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	loginConversations = 50_000
	loginPage          = 200
	catchUpMessages    = 10_000
	catchUpPage        = 500
	// readProfile is how long reads are repeated for a profile.
	readProfile = 5 * time.Second
)

// written waits until all that was made is in the store.
func (r *runner) written(ctx context.Context, t *target, l *load) error {
	return l.settle(ctx, t, time.Now(), &result{})
}

// reading is one sign-in and what was read then.
type reading struct {
	signIn, first, whole time.Duration // since the sign-in began
	cpu                  time.Duration // of the server, in steps of 10 ms
	pages                [][]byte
}

// read signs the heavy user in and has pull read all pages.
func (r *runner) read(ctx context.Context, t *target, h *heavy, pull func(context.Context, *link, func(page []byte)) error) (*reading, error) {
	got := new(reading)
	before, err := cpuOf(t.cmd.Process.Pid)
	if err != nil {
		return nil, harness("%w", err)
	}
	began := time.Now()
	l, err := r.signInHeavy(ctx, t, h)
	if err != nil {
		return nil, err
	}
	defer l.close()
	got.signIn = time.Since(began)
	err = pull(ctx, l.links[0], func(page []byte) {
		got.pages = append(got.pages, bytes.Clone(page))
		if got.first == 0 {
			got.first = time.Since(began)
		}
	})
	got.whole = time.Since(began)
	if err != nil {
		return nil, product("reading page %d: %w", len(got.pages)+1, err)
	}
	after, err := cpuOf(t.cmd.Process.Pid)
	if err != nil {
		return nil, harness("%w", err)
	}
	got.cpu = after - before
	return got, nil
}

// pullList reads the list to its end.
func pullList(ctx context.Context, k *link, take func(page []byte)) error {
	var cursor []byte
	for {
		f, err := k.request(ctx, appendList(nil, cursor, loginPage), "conversations")
		if err != nil {
			return err
		}
		take(f.rows)
		if len(f.cursor) == 0 {
			return nil
		}
		cursor = append(cursor[:0], f.cursor...)
	}
}

// pullInbox reads the inbox to its end.
func pullInbox(ctx context.Context, k *link, take func(page []byte)) error {
	for at := int64(0); ; {
		f, err := k.request(ctx, appendPull(nil, at, catchUpPage), "entries")
		if err != nil {
			return err
		}
		newest, before := f.newest, at
		take(f.rows)
		err = eachRow(f.rows, func(row *frame) error {
			at = max(at, row.inboxIndex)
			return nil
		})
		if err != nil || at >= newest {
			return err
		}
		if at == before {
			return fmt.Errorf("no entries after %d, the newest is %d", at, newest)
		}
	}
}

// heavyCase is what tells login and catchup apart.
type heavyCase struct {
	name  string
	build func(context.Context, *target) (*heavy, error)
	pull  func(context.Context, *link, func(page []byte)) error
	check func(*heavy, [][]byte) error
}

// heavyScenario makes what the heavy user is to read, and has him read it after
// a restart (cold) and once more (warm), each run. It returns the cold readings.
func (r *runner) heavyScenario(ctx context.Context, rep *Report, c heavyCase) (cold []*reading, err error) {
	err = r.serving(ctx, func(t *target) error {
		setup, cancel := context.WithTimeout(ctx, setupLimit)
		defer cancel()
		began := time.Now()
		h, err := c.build(setup, t)
		if err != nil {
			return err
		}
		rep.figure("build_s", time.Since(began).Seconds())
		var warm []*reading
		for range r.Runs {
			if err := t.restart(ctx); err != nil {
				return err
			}
			for _, to := range []*[]*reading{&cold, &warm} {
				got, err := r.read(ctx, t, h, c.pull)
				if err != nil {
					return err
				}
				if err := c.check(h, got.pages); err != nil {
					return err
				}
				*to = append(*to, got)
			}
		}
		r.readings(rep, c.name, "cold", cold)
		r.readings(rep, c.name, "warm", warm)
		return r.profileReads(ctx, t, h, c.name, c.pull)
	})
	return cold, err
}

// readings tells the medians of several readings.
func (r *runner) readings(rep *Report, name, state string, all []*reading) {
	for _, f := range []struct {
		name string
		of   func(*reading) time.Duration
	}{{"sign_in", signingIn}, {"first", firstPage}, {"whole", wholeReading}, {"cpu", cpuTime}} {
		rep.figure(state+"_"+f.name+"_ms", medianTime(all, f.of))
	}
	rep.figure(state+"_pages", float64(len(all[0].pages)))
	r.say("%s %s: signed in %.1f, first page %.1f, whole %.1f ms, %d pages; server cpu %.0f ms", name, state, medianTime(all, signingIn),
		medianTime(all, firstPage), medianTime(all, wholeReading), len(all[0].pages), medianTime(all, cpuTime))
}

func signingIn(r *reading) time.Duration    { return r.signIn }
func firstPage(r *reading) time.Duration    { return r.first }
func wholeReading(r *reading) time.Duration { return r.whole }
func cpuTime(r *reading) time.Duration      { return r.cpu }

// medianTime returns the median of a time in ms.
func medianTime(all []*reading, of func(*reading) time.Duration) float64 {
	return medianOf(all, func(r *reading) float64 { return millis(of(r)) })
}

// profileReads reads again and again under a profile, if one is wanted.
func (r *runner) profileReads(ctx context.Context, t *target, h *heavy, name string, pull func(context.Context, *link, func([]byte)) error) error {
	path := r.profilePath(name)
	if path == "" {
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- t.profile(ctx, path, readProfile) }()
	for {
		if _, err := r.read(ctx, t, h, pull); err != nil {
			return errors.Join(err, <-done)
		}
		select {
		case err := <-done:
			return err
		default:
		}
	}
}

func loginScenario(ctx context.Context, r *runner, rep *Report) error {
	n := r.sizeOr(loginConversations)
	rep.figure("conversations", float64(n))
	cold, err := r.heavyScenario(ctx, rep, heavyCase{
		name:  "login",
		build: func(ctx context.Context, t *target) (*heavy, error) { return r.makeList(ctx, t, n) },
		pull:  pullList, check: (*heavy).checkList,
	})
	if err != nil {
		return err
	}
	rep.atMost(fmt.Sprintf("first page of %d conversations after a restart, with the sign-in, ms", n), medianTime(cold, firstPage), barFirstPage)
	rep.atMost(fmt.Sprintf("whole list of %d conversations after a restart, with the sign-in, ms", n), medianTime(cold, wholeReading), barWholeList)
	return nil
}

func catchUpScenario(ctx context.Context, r *runner, rep *Report) error {
	n := r.sizeOr(catchUpMessages)
	rep.figure("messages", float64(n))
	cold, err := r.heavyScenario(ctx, rep, heavyCase{
		name:  "catchup",
		build: func(ctx context.Context, t *target) (*heavy, error) { return r.makeInbox(ctx, t, n) },
		pull:  pullInbox,
		check: func(h *heavy, pages [][]byte) error { return h.checkInbox(pages, r.texts) },
	})
	if err != nil {
		return err
	}
	rep.atMost(fmt.Sprintf("%d messages pulled after a restart, with the sign-in, ms", n), medianTime(cold, wholeReading), barCatchUp)
	return nil
}
