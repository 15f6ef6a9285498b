package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/merchantim/merchantim/internal/torture/check"
	"github.com/merchantim/merchantim/internal/torture/load"
	"github.com/merchantim/merchantim/internal/torture/read"
	"github.com/merchantim/merchantim/internal/torture/trail"
)

// leastLoad is how long a blow under load waits after ready, even if its time
// has passed: the clients must have something to lose.
const leastLoad = 150 * time.Millisecond

// slowReady is a recovery worth telling of.
const slowReady = 2 * time.Second

// maxDeaths are starts in a row that end before ready, after which the server
// counts as not recoverable.
const maxDeaths = 3

// errUnrecovered: the server cannot be started again, or does not give what it has.
var errUnrecovered = errors.New("the server does not come back")

// runner is one run. Everything belongs to the goroutine of run but the load,
// which has its own.
type runner struct {
	options
	say   io.Writer
	rng   *rand.Rand
	clock trail.Clock
	cast  []load.User
	rooms *load.Rooms

	life  *life
	addrs ports
	lives int

	begun    time.Time // of the load
	endLoad  context.CancelFunc
	load     *load.Load
	loadDone chan struct{}

	report Report
}

// run is the whole: blows, final reading, verdict. An error is one of the harness.
func (r *runner) run(ctx context.Context) (Report, error) {
	r.rng = rand.New(rand.NewPCG(r.seed, 0))
	r.cast, r.rooms = load.Cast(r.seed, r.users), load.NewRooms()
	r.report.Seed, r.report.Break = r.seed, r.fault
	defer func() {
		r.stopLoad()
		_ = r.closeLoad() // of a run that ends early; else it is done and told
		if r.life != nil {
			r.life.kill()
		}
	}()
	err := r.campaign(ctx)
	if err == nil {
		err = r.up(ctx)
	}
	if r.loadDone == nil {
		return r.report, errors.Join(errors.New("the server never became ready"), err)
	}
	r.stopLoad()
	if err != nil && !errors.Is(err, errUnrecovered) {
		return r.report, err
	}
	state, err := r.final(ctx, err)
	if err := r.closeLoad(); err != nil {
		return r.report, err
	}
	if err := r.judge(state, err); err != nil {
		return r.report, err
	}
	r.report.Seconds = time.Since(r.begun).Seconds()
	return r.report, ctx.Err()
}

// campaign strikes all blows; the last ends the load.
func (r *runner) campaign(ctx context.Context) error {
	if err := r.start(); err != nil {
		return err
	}
	for i, b := range plan(r.rng, r.kills, r.duration) {
		if err := r.strike(ctx, b, i == r.kills-1); err != nil {
			return err
		}
		if err := r.start(); err != nil {
			return err
		}
	}
	return nil
}

// start begins the next life. One in four takes little from each user, so that
// most of the clients offer more than it takes; never the last, which shows all.
func (r *runner) start() error {
	power := r.fault != "" || r.rng.Float64() < r.power
	r.lives++
	l, err := spawn(birth{exe: r.exe, dir: r.dir, no: r.lives, addrs: r.addrs, power: power,
		fault: r.fault, seed: r.rng.Uint64(), partitions: r.partitions(), large: r.large(),
		narrow: r.rng.IntN(4) == 0 && r.fault == "" && r.report.Kills < r.kills-1})
	if err != nil {
		return fmt.Errorf("starting the server: %w", err)
	}
	r.life = l
	return nil
}

// partitions is the number of partitions of the run's topics: as shipped (0),
// or, for every other seed and every fault, several, whose records interleave
// in another order each time.
func (r *runner) partitions() int {
	if r.fault == "" && r.seed%2 == 0 {
		return 0
	}
	return 3
}

// large is the size above which a group is large in this run: small, so that
// the groups of the load cross it both ways.
func (r *runner) large() int { return 4 + int(r.seed%3) }

// strike waits for the moment of the blow and kills.
func (r *runner) strike(ctx context.Context, b blow, last bool) error {
	var err error
	switch b.when {
	case starting:
		err = r.life.wait(ctx, b.at-time.Since(r.life.started))
	case onReady:
		if err = r.up(ctx); err == nil {
			err = r.life.wait(ctx, b.at)
		}
	case underLoad:
		if err = r.up(ctx); err == nil {
			err = r.life.wait(ctx, max(b.at-time.Since(r.begun), leastLoad))
		}
		if err == nil && b.grace > 0 {
			err = r.life.stop(ctx, b.grace)
		}
	}
	switch {
	case err == nil:
		r.report.Kills++
		if r.life.power {
			r.report.PowerLosses++
		}
	case errors.Is(err, errDied) && !errors.Is(err, errUnrecovered):
		r.died(err)
	default:
		return err
	}
	r.life.kill()
	if last {
		r.stopLoad()
	}
	r.tell("kill %d of life %d after %v", r.report.Kills, r.life.no, time.Since(r.life.started).Round(time.Millisecond))
	return nil
}

// up waits until the server is ready, starting it again if it ends before. The
// first time it also signs the users in and lets the load begin.
func (r *runner) up(ctx context.Context) error {
	for deaths := 1; ; deaths++ {
		addrs, err := r.life.ready(ctx)
		if err == nil {
			if took := time.Since(r.life.started); took > slowReady {
				r.tell("life %d was ready only after %v", r.life.no, took.Round(time.Millisecond))
			}
			r.addrs = addrs
			break
		}
		if !errors.Is(err, errDied) {
			return err
		}
		r.died(err)
		r.life.kill()
		if deaths == maxDeaths {
			return fmt.Errorf("%w: %w", errUnrecovered, err)
		}
		if err := r.start(); err != nil {
			return err
		}
	}
	if r.loadDone != nil {
		return nil
	}
	return r.beginLoad(ctx)
}

func (r *runner) died(err error) {
	r.report.Died++
	r.tell("life %d: %v", r.life.no, err)
}

func (r *runner) beginLoad(ctx context.Context) error {
	if err := sign(ctx, r.addrs.Admin, filepath.Join(r.dir, "data"), r.cast); err != nil {
		return fmt.Errorf("making tokens: %w", err)
	}
	cfg := load.Config{Addr: r.addrs.Listen, Dir: filepath.Join(r.dir, "trails"), Seed: r.seed,
		Rate: r.rate, Window: r.window, Clock: r.clock}
	var err error
	if r.load, err = load.New(cfg, r.cast, r.rooms); err != nil {
		return err
	}
	ctx, r.endLoad = context.WithCancel(ctx)
	r.begun, r.loadDone = time.Now(), make(chan struct{})
	go func() {
		r.load.Run(ctx)
		close(r.loadDone)
	}()
	return nil
}

// stopLoad ends the load and waits for it; once is enough.
func (r *runner) stopLoad() {
	if r.endLoad == nil {
		return
	}
	r.endLoad()
	r.endLoad = nil
	<-r.loadDone
}

// closeLoad completes the trails and takes the figures; once is enough.
func (r *runner) closeLoad() error {
	if r.load == nil {
		return nil
	}
	s := r.load.Stats()
	r.report.Links, r.report.Stalls, r.report.LostTails = s.Links, s.Stalls, s.LostTails
	r.report.Groups, r.report.Changes, r.report.Gaps, r.report.Recovered = s.Groups, s.Changes, s.Gaps, s.Recovered
	r.report.ShortLinks, r.report.Moved, r.report.Shed, r.report.Settled = s.ShortLinks, s.Moved, s.Refusals["overloaded"], s.Settled
	r.report.refusals = s.Refusals
	err := r.load.Close()
	r.load = nil
	return err
}

// final reads the state. Without a server that gives it, everything is lost.
func (r *runner) final(ctx context.Context, unrecovered error) (check.State, error) {
	if unrecovered != nil {
		return check.State{}, unrecovered
	}
	r.tell("reading everything from the recovered server")
	s, err := read.State(ctx, r.addrs.Listen, filepath.Join(r.dir, "trails"), r.cast, r.rooms, r.clock)
	s.Large = r.large()
	if err != nil {
		return s, fmt.Errorf("%w: %w", errUnrecovered, err)
	}
	r.tell("clients get what they lack")
	r.load.Settle(ctx)
	return s, nil
}

func (r *runner) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(r.say, "%8.3fs  %s\n", float64(r.clock.Now())/1e6, fmt.Sprintf(format, args...))
}
