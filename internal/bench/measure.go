package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// drainLimit is how long after the last send the stages may take; the CPU
	// figure is valid only then.
	drainLimit = time.Second
	// flushLimit is how much longer the store writer may take, which collects
	// for up to a second.
	flushLimit = 2 * time.Second
	// answerLimit is how long after the last send the last answer and delivery
	// may take before messages count as lost.
	answerLimit = 30 * time.Second
	setupLimit  = 5 * time.Minute
	// behindSeconds is how many seconds of an offered rate may be unanswered
	// before the load is given up.
	behindSeconds = 10
	pollEvery     = 50 * time.Millisecond
)

// errDisturbed marks a window that should be measured again.
var errDisturbed = errors.New("disturbed")

// plan is one measured window.
type plan struct {
	shape    shape
	k        int     // messages on the way a conversation (closed loop), or
	rate     float64 // messages offered a second (open loop)
	warmUp   time.Duration
	window   time.Duration
	seed     uint64
	profile  string // file for a CPU profile of the window, if any
	anyDrain bool   // the CPU figure is not wanted: drain as long as it takes
}

// sample is a reading of every counter at one moment.
type sample struct {
	at                  time.Time
	cpu, own            time.Duration
	written             int64
	accepted, delivered int64
	machine             cpuShares
}

// result is what one window gave. Messages are those of the window; bytes and
// CPU go on to the moment at which the server had drained, and so does the
// number of messages that they are divided by.
type result struct {
	acked, delivered float64 // a second
	ack, delivery    latencies
	cpu, ownCPU      float64 // µs a message
	bytes            float64 // written a message
	rss, rssPeak     int64   // bytes, at the end of the window
	drain, flush     time.Duration
	steal            float64 // share of the CPU time taken by other guests, 0 to 1
	others           float64 // share taken by other processes of this machine
	codes            map[string]int64
	pongsAhead       int64 // see counts
}

type latencies struct{ p50, p99, p999, max time.Duration }

func (h *histogram) latencies() latencies {
	return latencies{h.quantile(0.5), h.quantile(0.99), h.quantile(0.999), h.quantile(1)}
}

// measure connects a load to a target, runs a plan's window and checks that
// every message that was sent came through.
func measure(ctx context.Context, t *target, texts *textPool, p plan) (result, error) {
	setup, cancel := context.WithTimeout(ctx, setupLimit)
	defer cancel()
	l, err := connect(setup, t, texts, p.shape)
	if err != nil {
		return result{}, err
	}
	defer l.close()
	defer l.watch(ctx, t)()
	return l.measure(ctx, t, p)
}

// watch fails the load when ctx ends or the server does, until stop is called.
func (l *load) watch(ctx context.Context, t *target) (stop func()) {
	unhook := context.AfterFunc(ctx, func() { l.fail(context.Cause(ctx)) })
	done := make(chan struct{})
	l.watchers.Go(func() {
		select {
		case <-t.exited:
			l.fail(product("the server ended by itself: %v; it said: %s", t.err, t.output))
		case <-done:
		}
	})
	return func() {
		unhook()
		close(done)
	}
}

func (l *load) measure(ctx context.Context, t *target, p plan) (result, error) {
	l.closed = p.k > 0
	l.start()
	l.begin(p)
	if err := l.wait(p.warmUp); err != nil {
		return result{}, err
	}
	first, err := l.sample(t)
	if err != nil {
		return result{}, err
	}
	from := l.now() / 1000
	l.to.Store(from + p.window.Microseconds())
	l.from.Store(from)
	if p.profile != "" {
		l.watchers.Go(func() {
			if err := t.profile(l.ctx, p.profile, p.window); err != nil {
				l.fail(harness("profiling: %w", err))
			}
		})
	}
	if err := l.wait(p.window); err != nil {
		return result{}, err
	}
	end, err := l.sample(t)
	if err != nil {
		return result{}, err
	}
	rss, peak, err := memoryOf(t.cmd.Process.Pid)
	if err != nil {
		return result{}, harness("%w", err)
	}
	r := result{rss: rss, rssPeak: peak}
	if err := l.drain(ctx, t, p, &r); err != nil {
		return r, err
	}
	last, err := l.sample(t)
	if err != nil {
		return r, err
	}
	r.fill(l, first, end, last)
	return r, l.verdict(t)
}

// begin starts the sending.
func (l *load) begin(p plan) {
	if p.k > 0 {
		l.closedLoop(p.k)
		return
	}
	l.openLoop(p.rate, p.seed, int64(behindSeconds*p.rate)+1)
}

// wait sleeps while the load is well.
func (l *load) wait(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-l.ctx.Done():
		return l.err()
	}
}

func (l *load) sample(t *target) (s sample, err error) {
	pid := t.cmd.Process.Pid
	if s.cpu, err = cpuOf(pid); err != nil {
		return s, harness("%w", err)
	}
	if s.written, err = writtenBy(pid); err != nil {
		return s, harness("%w", err)
	}
	if s.machine, err = machineCPU(); err != nil {
		return s, harness("%w", err)
	}
	s.own = ownCPU()
	s.at, s.accepted, s.delivered = time.Now(), l.accepted.Load(), l.delivered.Load()
	return s, nil
}

// drain stops the sending and waits until everything is answered, delivered
// and handled by every stage of the server, then until it is in the store.
func (l *load) drain(ctx context.Context, t *target, p plan, r *result) error {
	l.stopping.Store(true)
	began := time.Now()
	for !l.done() {
		if time.Since(began) > answerLimit {
			return product("%v after the last send, of %d messages %d were accepted, %d delivered",
				answerLimit, l.offered.Load(), l.accepted.Load(), l.delivered.Load())
		}
		if err := l.wait(pollEvery); err != nil {
			return err
		}
	}
	if err := l.settle(ctx, t, began, r); err != nil {
		return err
	}
	if !p.anyDrain && (r.drain > drainLimit || r.flush > drainLimit+flushLimit) {
		return harness("%w: drained after %v, flushed after %v, allowed are %v and %v more",
			errDisturbed, r.drain, r.flush, drainLimit, flushLimit)
	}
	return nil
}

// settle waits until the server has nothing left to do of what was sent until
// began.
func (l *load) settle(ctx context.Context, t *target, began time.Time, r *result) error {
	lagged := true
	for {
		left, err := t.backlog(ctx)
		if err != nil {
			return harness("asking for the backlog: %w", err)
		}
		if lagged && left.lag == 0 {
			lagged, r.drain = false, time.Since(began)
		}
		if left.lag == 0 && left.pending == 0 {
			r.flush = time.Since(began)
			return nil
		}
		if time.Since(began) > answerLimit {
			return harness("not drained after %v: %.0f records behind, %.0f bytes pending", answerLimit, left.lag, left.pending)
		}
		if err := l.wait(pollEvery); err != nil {
			return err
		}
	}
}

// fill computes the figures from the samples at the window's begin and end and
// after the drain.
func (r *result) fill(l *load, first, end, last sample) {
	seconds := end.at.Sub(first.at).Seconds()
	r.acked = float64(end.accepted-first.accepted) / seconds
	r.delivered = float64(end.delivered-first.delivered) / seconds
	messages := float64(max(last.accepted-first.accepted, 1))
	r.cpu = float64((last.cpu - first.cpu).Microseconds()) / messages
	r.ownCPU = float64((last.own - first.own).Microseconds()) / messages
	r.bytes = float64(last.written-first.written) / messages
	r.steal = end.machine.stealSince(first.machine)
	ours := end.cpu - first.cpu + end.own - first.own
	r.others = end.machine.othersSince(first.machine, ours)
	r.ack, r.delivery = l.ack.latencies(), l.delivery.latencies()
	r.codes, r.pongsAhead = l.errors(), l.pongsAhead.Load()
}

// verdict reports breaches, once all is delivered.
func (l *load) verdict(t *target) error {
	if err := l.lastWords(); err != nil {
		return err
	}
	if own := l.own.Load(); !t.echo && own != l.accepted.Load() {
		return product("%d messages were accepted and %d own entries came", l.accepted.Load(), own)
	}
	return nil
}

// lastWords asks every link for its newest inbox entry and reports breaches.
func (l *load) lastWords() error {
	for _, k := range l.links {
		k.ping(lastPing)
	}
	began := time.Now()
	for l.pongs.Load() < int64(len(l.links)) {
		if time.Since(began) > answerLimit {
			return product("links did not answer their last ping within %v", answerLimit)
		}
		if err := l.wait(pollEvery); err != nil {
			return err
		}
	}
	return l.broken()
}

// disturbed returns an error if other guests took too much of the window.
func (r result) disturbed(limit float64) error {
	if r.steal > limit {
		return fmt.Errorf("%w: %.1f %% of the CPU was stolen, allowed are %.0f %%", errDisturbed, r.steal*100, limit*100)
	}
	return nil
}
