package bench

import (
	"context"
	"fmt"
	"time"
)

// repeat runs a window n times.
func repeat(n int, run func() (result, error)) ([]result, error) {
	all := make([]result, 0, n)
	for range n {
		res, err := run()
		if err != nil {
			return all, err
		}
		all = append(all, res)
	}
	return all, nil
}

// medians returns the median of each figure over several windows.
func medians(all []result) result {
	of := func(figure func(result) float64) float64 { return medianOf(all, figure) }
	lat := func(pick func(result) latencies) latencies {
		one := func(q func(latencies) time.Duration) time.Duration {
			return time.Duration(of(func(r result) float64 { return float64(q(pick(r))) }))
		}
		return latencies{
			p50:  one(func(l latencies) time.Duration { return l.p50 }),
			p99:  one(func(l latencies) time.Duration { return l.p99 }),
			p999: one(func(l latencies) time.Duration { return l.p999 }),
			max:  one(func(l latencies) time.Duration { return l.max }),
		}
	}
	m := result{
		acked:     of(func(r result) float64 { return r.acked }),
		delivered: of(func(r result) float64 { return r.delivered }),
		ack:       lat(func(r result) latencies { return r.ack }),
		delivery:  lat(func(r result) latencies { return r.delivery }),
		cpu:       of(func(r result) float64 { return r.cpu }),
		ownCPU:    of(func(r result) float64 { return r.ownCPU }),
		bytes:     of(func(r result) float64 { return r.bytes }),
		rss:       int64(of(func(r result) float64 { return float64(r.rss) })),
		steal:     of(func(r result) float64 { return r.steal }),
		others:    of(func(r result) float64 { return r.others }),
		codes:     make(map[string]int64),
	}
	for _, r := range all {
		for code, n := range r.codes {
			m.codes[code] += n
		}
		m.pongsAhead += r.pongsAhead
	}
	return m
}

// interleaved is one measured window of the product between two of the ceiling.
type interleaved struct {
	before, product, after result
}

// ceiling returns a figure of the echo server around the product's window.
func (i interleaved) ceiling(figure func(result) float64) float64 {
	return (figure(i.before) + figure(i.after)) / 2
}

// against returns the product's figure as a multiple of the ceiling's.
func (i interleaved) against(figure func(result) float64) float64 {
	c := i.ceiling(figure)
	if c == 0 {
		return 0
	}
	return figure(i.product) / c
}

// interleave runs a plan of the product between windows of the ceiling under
// the same plan.
func (r *runner) interleave(ctx context.Context, name string, p plan, probe func() error) ([]interleaved, error) {
	return r.between(ctx, "echo "+name, p, "merchantim "+name, p, probe)
}

// between runs echo, product, echo, product, …, echo; each echo is after one
// product window and before the next. probe, if any, is called while nothing
// runs, before each product window.
func (r *runner) between(ctx context.Context, echo string, ceiling plan, name string, p plan, probe func() error) ([]interleaved, error) {
	before, err := r.run(ctx, echo, true, ceiling)
	if err != nil {
		return nil, err
	}
	var all []interleaved
	for range r.Runs {
		if probe != nil {
			if err := probe(); err != nil {
				return all, err
			}
		}
		res, err := r.run(ctx, name, false, p)
		if err != nil {
			return all, err
		}
		after, err := r.run(ctx, echo, true, ceiling)
		if err != nil {
			return all, err
		}
		all = append(all, interleaved{before, res, after})
		before = after
	}
	return all, nil
}

func products(all []interleaved) []result {
	out := make([]result, len(all))
	for i, v := range all {
		out[i] = v.product
	}
	return out
}

// ceilings returns the windows of the echo server, each once.
func ceilings(all []interleaved) []result {
	out := make([]result, 0, len(all)+1)
	for i, v := range all {
		if i == 0 {
			out = append(out, v.before)
		}
		out = append(out, v.after)
	}
	return out
}

// moved is what a window got through: acknowledged and delivered.
func moved(r result) float64 { return min(r.acked, r.delivered) }

func cpuUsed(r result) float64 { return r.cpu }

func pairsScenario(ctx context.Context, r *runner, rep *Report) error {
	for _, k := range r.K {
		all, err := r.interleave(ctx, fmt.Sprintf("k=%d", k), r.pairs(k), nil)
		if err != nil {
			return err
		}
		rep.window(fmt.Sprintf("k%d_", k), medians(products(all)))
		rep.window(fmt.Sprintf("echo_k%d_", k), medians(ceilings(all)))
		speed := medianOf(all, func(i interleaved) float64 { return i.against(moved) })
		cost := medianOf(all, func(i interleaved) float64 { return i.against(cpuUsed) })
		rep.figure(fmt.Sprintf("k%d_against_echo", k), speed)
		rep.figure(fmt.Sprintf("k%d_cpu_against_echo", k), cost)
		switch k {
		case 8:
			rep.atLeast("acked = delivered a second against echo, k=8", speed, barThroughput)
			rep.atMost("server CPU a message against echo, k=8", cost, barCPU8)
		case 1:
			rep.atMost("server CPU a message against echo, k=1", cost, barCPU1)
		}
	}
	return nil
}
