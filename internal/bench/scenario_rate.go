package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func rateScenario(ctx context.Context, r *runner, rep *Report) error {
	if err := r.onDisk(); err != nil {
		return err
	}
	rate := r.rateOr(rateSteady)
	disk := new(histogram)
	probe := func() error { return probeDisk(ctx, r.DataRoot, r.Probe, disk) }
	all, err := r.interleave(ctx, fmt.Sprintf("at %.0f/s", rate), r.offered(rate, r.Window), probe)
	if err != nil {
		return err
	}
	echo, got, sync := medians(ceilings(all)), medians(products(all)), disk.latencies()
	rep.window("", got)
	rep.window("echo_", echo)
	rep.latencies("fdatasync", sync)
	if rate == rateSteady {
		rep.atMost("delivery p50 at 5,000/s, ms", millis(got.delivery.p50), barP50)
		rep.atMost("delivery p99 at 5,000/s, ms", millis(got.delivery.p99), barP99)
		rep.atMost("delivery p99.9 at 5,000/s, ms, against echo p99.9 + 4 × fdatasync p99",
			millis(got.delivery.p999), millis(echo.delivery.p999)+barSyncs*millis(sync.p99))
	}
	if err := got.held(rate); err != nil || !r.Find {
		return err
	}
	return r.findHighest(ctx, rep)
}

const (
	// findTime is how long a rate must be held to count.
	findTime = 60 * time.Second
	// findShare is the share of the offered rate that must be acknowledged and
	// delivered within the window.
	findShare = 0.99
	// The ladder of the coarse search, with shorter windows.
	findFirst = 10_000.0
	findRung  = 1.25
	findLimit = 200_000.0
	findLeast = 500.0
	// findStep is the resolution of the answer, as a share of the rate.
	findStep = 0.05
)

// findHighest looks for the highest rate that is held for a minute. First it
// climbs a ladder with windows a quarter as long until a rate is not held, then
// it measures whole minutes from the last rung that held.
func (r *runner) findHighest(ctx context.Context, rep *Report) error {
	whole := r.durationOr(findTime)
	broken := findFirst
	for broken < findLimit {
		ok, err := r.holds(ctx, rep, broken, whole/4)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		broken *= findRung
	}
	held := 0.0
	for rate, more := nextRate(held, broken); more; rate, more = nextRate(held, broken) {
		ok, err := r.holds(ctx, rep, rate, whole)
		if err != nil {
			return err
		}
		if ok {
			held = rate
		} else {
			broken = rate
		}
	}
	r.highest = held
	rep.figure("highest_per_s", held)
	rep.atLeast("highest rate held with p99 at most 50 ms, a second", held, barHighest)
	return nil
}

// nextRate returns the rate to try when held (0: none) is the highest that was
// held and broken the lowest that was not.
func nextRate(held, broken float64) (rate float64, more bool) {
	if held == 0 {
		return broken / findRung, broken/findRung >= findLeast
	}
	return (held + broken) / 2, broken > held*(1+findStep)
}

// holds reports whether a rate is held. A server that closes links or falls far
// behind does not hold it; one that loses, repeats or reorders fails the product.
func (r *runner) holds(ctx context.Context, rep *Report, rate float64, window time.Duration) (bool, error) {
	p := r.offered(rate, window)
	p.anyDrain = true
	res, err := r.run(ctx, fmt.Sprintf("highest at %.0f/s", rate), false, p)
	var behind *behindError
	if errors.As(err, &behind) {
		r.say("%.0f/s is not held: %v", rate, err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	rep.count(res.codes)
	return millis(res.delivery.p99) <= barHighestP99 && moved(res) >= findShare*rate, nil
}

// behindError says that too many messages of an offered rate are unanswered.
type behindError struct {
	unanswered int64
	rate       float64
}

func (e *behindError) Error() string {
	return fmt.Sprintf("%d messages are unanswered at an offered %.0f/s", e.unanswered, e.rate)
}
