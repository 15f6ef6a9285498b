package bench

import (
	"context"
	"errors"
	"time"
)

const (
	overloadTimes = 3 // the highest rate held
	overloadTime  = 60 * time.Second
	// overloadAfter is how long the old rate goes on after it.
	overloadAfter = 15 * time.Second
	// overloadFind is the window of the ladder that looks for the highest rate.
	overloadFind = 5 * time.Second
	// overloadLeast is how many times the rate must really have been offered.
	overloadLeast = 2.5
)

func overloadScenario(ctx context.Context, r *runner, rep *Report) error {
	rate := r.rateOr(r.highest)
	if rate == 0 {
		var err error
		if rate, err = r.findShortly(ctx, rep); err != nil {
			return err
		}
	}
	rep.figure("rate", rate)
	return r.serving(ctx, func(t *target) error {
		tr, parts, err := r.flood(ctx, t, rate, rep)
		if err != nil {
			return err
		}
		return tr.report(rep, rate, parts)
	})
}

// parts are the moments at which each part of the run began.
type parts struct{ calm, flood, after, end moment }

type moment struct {
	at int64 // µs since the load began
	sample
	backlog
}

func (tr *torrent) moment(ctx context.Context, t *target) (m moment, err error) {
	if m.sample, err = tr.load.sample(t); err != nil {
		return m, err
	}
	if m.backlog, err = t.backlog(ctx); err != nil {
		return m, harness("asking for the backlog: %w", err)
	}
	m.at = tr.load.now() / 1000
	return m, nil
}

// findShortly climbs the ladder of --find with short windows to the last rung
// that is held, or descends to the first if not even the lowest is.
func (r *runner) findShortly(ctx context.Context, rep *Report) (float64, error) {
	held, err := r.holds(ctx, rep, findFirst, overloadFind)
	if err != nil {
		return 0, err
	}
	up, step := held, findRung
	if !up {
		step = 1 / findRung
	}
	for rate := findFirst * step; rate >= findLeast && rate < findLimit; rate *= step {
		if held, err = r.holds(ctx, rep, rate, overloadFind); err != nil {
			return 0, err
		}
		switch {
		case up && !held:
			return rate / step, nil
		case !up && held:
			return rate, nil
		}
	}
	// What rate is held has a bar of its own, in rate; here it is a setting.
	return 0, harness("between %.0f and %.0f/s the highest rate held was not found: name one with --rate", findLeast, findLimit)
}

// flood sends at the rate, three times as much, and at the rate again, and
// checks that nothing was lost.
func (r *runner) flood(ctx context.Context, t *target, rate float64, rep *Report) (*torrent, parts, error) {
	setup, cancel := context.WithTimeout(ctx, setupLimit)
	defer cancel()
	l, err := connect(setup, t, r.texts, shape{users: r.Users})
	if err != nil {
		return nil, parts{}, err
	}
	defer l.close()
	defer l.watch(ctx, t)()
	tr := newTorrent(l, rate)
	l.start()
	l.watchers.Go(tr.pace)
	p, err := r.play(ctx, t, tr, rate)
	if err != nil {
		return nil, p, err
	}
	l.stopping.Store(true)
	_, peak, err := memoryOf(t.cmd.Process.Pid)
	if err != nil {
		return nil, p, harness("%w", err)
	}
	rep.figure("rss_peak_mb", megabytes(peak))
	err = tr.ended(ctx, t, rep)
	return tr, p, err
}

// play goes through the parts of the run.
func (r *runner) play(ctx context.Context, t *target, tr *torrent, rate float64) (p parts, err error) {
	l, whole := tr.load, r.durationOr(overloadTime)
	for _, part := range []struct {
		messages int // a send
		run      func() error
		end      *moment
	}{
		{1, func() error { return l.wait(r.WarmUp) }, &p.calm},
		{1, func() error { return l.wait(r.Window) }, &p.flood},
		// The sends stay as many: each has three messages, or two cores could
		// not offer what they are to refuse.
		{overloadTimes, func() error { return r.profiled(t, l, "overload", whole) }, &p.after},
		{1, func() error { return r.profiled(t, l, "overload after", min(overloadAfter, whole)) }, &p.end},
	} {
		tr.set(rate, part.messages)
		if err := part.run(); err != nil {
			return p, err
		}
		if *part.end, err = tr.moment(ctx, t); err != nil {
			return p, err
		}
	}
	return p, nil
}

// profiled lets the load run for d.
func (r *runner) profiled(t *target, l *load, name string, d time.Duration) error {
	if path := r.profilePath(name); path != "" {
		l.watchers.Go(func() {
			if err := t.profile(l.ctx, path, d); err != nil {
				l.fail(harness("profiling: %w", err))
			}
		})
	}
	return l.wait(d)
}

// ended waits for the last answers and looks for what is missing.
func (tr *torrent) ended(ctx context.Context, t *target, rep *Report) error {
	l, began := tr.load, time.Now()
	for !tr.answered() {
		if time.Since(began) > answerLimit {
			return product("%v after the last send, of %d messages %d were accepted, %d refused, %d delivered",
				answerLimit, l.offered.Load(), l.accepted.Load(), tr.shed.Load(), l.delivered.Load())
		}
		if err := l.wait(pollEvery); err != nil {
			return err
		}
	}
	if err := l.settle(ctx, t, began, &result{}); err != nil {
		return err
	}
	rep.count(l.errors())
	stored, err := tr.check()
	rep.figure("refused_and_stored", float64(stored))
	return errors.Join(err, l.lastWords())
}

// report tells the figures of the three parts.
func (tr *torrent) report(rep *Report, rate float64, p parts) error {
	before, under := tr.span(p.calm.at, p.flood.at), tr.span(p.flood.at, p.after.at)
	part := func(name string, s *second, from, to *moment) float64 {
		seconds := float64(to.at/1e6 - (from.at+999_999)/1e6)
		rep.figure(name+"_offered_per_s", per(float64(s.offered.Load()), seconds))
		rep.figure(name+"_accepted_per_s", per(float64(s.ack.count()), seconds))
		rep.figure(name+"_refused_per_s", per(float64(s.refused.Load()), seconds))
		rep.latencies(name+"_ack", s.ack.latencies())
		rep.latencies(name+"_delivery", s.delivery.latencies())
		ours := to.cpu - from.cpu + to.own - from.own
		rep.figure(name+"_others_share", to.machine.othersSince(from.machine, ours))
		rep.figure(name+"_records_behind", to.lag)
		return per(float64(s.offered.Load()), seconds)
	}
	calm := part("before", before, &p.calm, &p.flood)
	offered := part("under", under, &p.flood, &p.after)
	part("after", tr.span(p.after.at, p.end.at), &p.after, &p.end)
	limit := barOverload * millis(before.ack.quantile(0.99))
	recovered, ok := tr.recovery(calm, p, limit)
	rep.figure("recovery_s", recovered)
	rep.atMost("p99 of accepted sends under overload, ms", millis(under.ack.quantile(0.99)), limit)
	rep.atMost("recovery after overload, s", recovered, barRecovery)
	if calm < steadyShare*rate || offered < overloadLeast*rate {
		return harness("%.0f/s were offered before and %.0f/s under overload: the generator could not do more, with %.0f %% of the machine taken by others",
			calm, offered, 100*p.after.machine.othersSince(p.calm.machine, p.after.cpu-p.calm.cpu+p.after.own-p.calm.own))
	}
	if !ok {
		return product("%.1f s after the overload the old rate was still not served as before", recovered)
	}
	return nil
}

// recovery returns after how many seconds the first whole one begins in which
// all was accepted, with a p99 (ms) within the limit; false: in none. At least
// half of what was offered before (a second) must have been: a server that does
// not read is not well.
func (tr *torrent) recovery(calm float64, p parts, limit float64) (float64, bool) {
	for at := (p.after.at + 999_999) / 1e6 * 1e6; at+1e6 <= p.end.at; at += 1e6 {
		s := tr.span(at, at+1e6)
		if s.refused.Load() == 0 && float64(s.ack.count()) >= calm/2 && millis(s.ack.quantile(0.99)) <= limit {
			return float64(at-p.after.at) / 1e6, true
		}
	}
	return float64(p.end.at-p.after.at) / 1e6, false
}
