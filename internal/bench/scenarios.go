package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// scenario is one row of the table that `merchantim bench` knows.
type scenario struct {
	name, short string
	run         func(ctx context.Context, r *runner, rep *Report) error
}

func scenarios() []scenario {
	return []scenario{
		{"echo", "the ceiling: the WebSocket library alone, nothing kept", echoScenario},
		{"pairs", "500 pairs, k messages on the way each: rate and CPU against echo", pairsScenario},
		{"rate", "latency at a fixed offered rate against echo and the disk; --find: the highest rate", rateScenario},
		{"disk", "bytes written a message, at 12,000/s and at 5,000/s", diskScenario},
		{"wide", "100,000 conversations at 5,000/s, without bar", wideScenario},
		{"rss", "memory of an empty server and after 60 s at 12,000/s", rssScenario},
		{"group", "a group's deliveries against echo: 100 and 500 by inbox, 5,000 by its head", groupScenario},
		{"idle", "10,000 links that only keep alive: memory of the server for each", idleScenario},
		{"login", "a user with 50,000 conversations signs in and reads the list, before and after a restart", loginScenario},
		{"catchup", "a user pulls 10,000 messages that came while he was away", catchUpScenario},
		{"overload", "three times the highest rate that is held: latency, recovery, nothing lost", overloadScenario},
		{"fdatasync", "the disk alone: small appends, each made durable", fdatasyncScenario},
		{"all", "pairs, rate with --find, disk, rss, wide, group, idle, login, catchup, overload", allScenario},
	}
}

// The bars of the product; see the issues "The thin durable core" and "Links,
// groups, client".
const (
	barThroughput = 0.8    // of echo's, k = 8
	barCPU8       = 1.5    // times echo's CPU a message, k = 8
	barCPU1       = 2.0    // times echo's CPU a message, k = 1
	barP50        = 2.0    // ms, delivery at 5,000/s
	barP99        = 10.0   // ms, delivery at 5,000/s
	barSyncs      = 4.0    // times the disk's fdatasync p99, added to echo's p99.9
	barHighest    = 16_000 // messages a second
	barHighestP99 = 50.0   // ms, for a rate to count as held
	barBytesFast  = 1_500  // a message at 12,000/s
	barBytesSlow  = 2_500  // a message at 5,000/s
	barRSSEmpty   = 60.0   // MB
	barRSSLoaded  = 400.0  // MB
	barGroup      = 2.0    // deliveries a second, times echo's messages, k = 8
	barIdle       = 16.0   // KiB a link
	barFirstPage  = 50.0   // ms, of 50,000 conversations
	barWholeList  = 300.0  // ms, of 50,000 conversations
	barCatchUp    = 200.0  // ms, 10,000 messages
	barOverload   = 3.0    // times the p99 before
	barRecovery   = 10.0   // s

	rateSteady = 5_000.0
	rateBusy   = 12_000.0

	diskTime = 5 * time.Minute
	rssTime  = 60 * time.Second
	wideTime = 60 * time.Second
)

// widePeers is how many conversations each user begins in `wide`: with 1,000
// users 100,000.
const widePeers = 100

func (r *Report) latencies(name string, l latencies) {
	r.figure(name+"_p50_ms", millis(l.p50))
	r.figure(name+"_p99_ms", millis(l.p99))
	r.figure(name+"_p999_ms", millis(l.p999))
	r.figure(name+"_max_ms", millis(l.max))
}

// window adds a window's figures under a prefix.
func (r *Report) window(prefix string, res result) {
	r.figure(prefix+"acked_per_s", res.acked)
	r.figure(prefix+"delivered_per_s", res.delivered)
	r.latencies(prefix+"ack", res.ack)
	r.latencies(prefix+"delivery", res.delivery)
	r.figure(prefix+"cpu_us", res.cpu)
	r.figure(prefix+"bytes_per_message", res.bytes)
	r.figure(prefix+"rss_mb", megabytes(res.rss))
	r.figure(prefix+"others_share", res.others)
	r.figure(prefix+"pongs_ahead", float64(res.pongsAhead))
	r.count(res.codes)
}

// steadyShare is the share of an offered rate that a window must have moved for
// its figures to be those of that rate.
const steadyShare = 0.95

// held returns a product failure if an offered rate was not kept up with.
func (r result) held(rate float64) error {
	if moved(r) < steadyShare*rate {
		return product("of an offered %.0f/s, %.0f/s were acknowledged and %.0f/s delivered", rate, r.acked, r.delivered)
	}
	return nil
}

func echoScenario(ctx context.Context, r *runner, rep *Report) error {
	for _, k := range r.K {
		name := fmt.Sprintf("echo k=%d", k)
		all, err := repeat(r.Runs, func() (result, error) { return r.run(ctx, name, true, r.pairs(k)) })
		if err != nil {
			return err
		}
		rep.window(fmt.Sprintf("k%d_", k), medians(all))
	}
	rate := r.rateOr(rateSteady)
	name := fmt.Sprintf("echo at %.0f/s", rate)
	all, err := repeat(r.Runs, func() (result, error) { return r.run(ctx, name, true, r.offered(rate, r.Window)) })
	if err != nil {
		return err
	}
	rep.window("rate_", medians(all))
	return nil
}

func diskScenario(ctx context.Context, r *runner, rep *Report) error {
	var behind error
	for _, at := range []struct{ rate, bar float64 }{{rateBusy, barBytesFast}, {rateSteady, barBytesSlow}} {
		if r.Rate > 0 && r.Rate != at.rate {
			continue
		}
		p := r.offered(at.rate, r.durationOr(diskTime))
		p.warmUp, p.anyDrain = 0, true // every byte from the first message on counts
		name := fmt.Sprintf("disk at %.0f/s", at.rate)
		res, err := r.run(ctx, name, false, p)
		if err != nil {
			return err
		}
		rep.window(fmt.Sprintf("at_%.0f_", at.rate), res)
		rep.atMost(fmt.Sprintf("bytes written a message at %.0f/s", at.rate), res.bytes, at.bar)
		behind = errors.Join(behind, res.held(at.rate))
	}
	return behind
}

func wideScenario(ctx context.Context, r *runner, rep *Report) error {
	rate := r.rateOr(rateSteady)
	p := r.offered(rate, r.durationOr(wideTime))
	p.shape.peers = min(widePeers, (r.Users-1)/2)
	p.anyDrain = true
	rep.figure("conversations", float64(p.shape.conversations()))
	res, err := r.run(ctx, fmt.Sprintf("wide at %.0f/s", rate), false, p)
	if err != nil {
		return err
	}
	rep.window("", res)
	return nil
}

// rssSettle is how long an empty server is left alone before it is weighed.
const rssSettle = 3 * time.Second

func rssScenario(ctx context.Context, r *runner, rep *Report) error {
	empty, err := r.weighEmpty(ctx)
	if err != nil {
		return err
	}
	rate := r.rateOr(rateBusy)
	p := r.offered(rate, r.durationOr(rssTime))
	p.warmUp, p.anyDrain = 0, true
	res, err := r.run(ctx, fmt.Sprintf("rss at %.0f/s", rate), false, p)
	if err != nil {
		return err
	}
	rep.figure("empty_mb", megabytes(empty))
	rep.window("loaded_", res)
	rep.figure("loaded_peak_mb", megabytes(res.rssPeak))
	rep.atMost("RSS of an empty server, MB", megabytes(empty), barRSSEmpty)
	rep.atMost(fmt.Sprintf("RSS after %v at %.0f/s, MB", p.window, rate), megabytes(res.rss), barRSSLoaded)
	return res.held(rate)
}

// weighEmpty returns the resident bytes of a server that was just started.
func (r *runner) weighEmpty(ctx context.Context) (int64, error) {
	var rss int64
	err := r.serving(ctx, func(t *target) (err error) {
		rss, err = t.weigh(ctx, rssSettle)
		return err
	})
	return rss, err
}

// weigh returns the resident bytes of the server after some time of rest.
func (t *target) weigh(ctx context.Context, rest time.Duration) (int64, error) {
	select {
	case <-time.After(rest):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	rss, _, err := memoryOf(t.cmd.Process.Pid)
	if err != nil {
		return 0, harness("%w", err)
	}
	return rss, nil
}

func fdatasyncScenario(ctx context.Context, r *runner, rep *Report) error {
	if err := r.onDisk(); err != nil {
		return err
	}
	var h histogram
	if err := probeDisk(ctx, r.DataRoot, r.Probe, &h); err != nil {
		return err
	}
	rep.figure("syncs", float64(h.count()))
	rep.latencies("fdatasync", h.latencies())
	return nil
}

// allScenario runs the whole table, and goes on after a bar is missed or the
// product fails, so that one report tells everything.
func allScenario(ctx context.Context, r *runner, rep *Report) error {
	var first error
	r.Find = true
	for _, s := range scenarios() {
		switch s.name {
		case "echo", "fdatasync", "all":
			continue
		}
		part := newReport(s.name)
		err := s.run(ctx, r, part)
		rep.merge(part)
		if err != nil {
			r.say("%s: %v", s.name, err)
		}
		if exitCode(err) > exitCode(first) {
			first = err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return first
}
