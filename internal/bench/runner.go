package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Options are the settings of a run. The zero value is not usable; the command
// fills it from its flags, whose defaults are those of an honest measurement.
type Options struct {
	Server   string        // binary of the server, started with `serve`
	DataRoot string        // folder for the servers' data, on the disk to measure
	Runs     int           // interleaved runs of which the median counts
	Repeats  int           // how often a disturbed window is measured before it is a failure
	WarmUp   time.Duration // before a window
	Window   time.Duration
	Probe    time.Duration // length of a disk probe
	Users    int
	K        []int   // messages on the way a sender, for pairs and echo
	Rate     float64 // messages a second; 0 is the scenario's own
	Duration time.Duration
	Find     bool // rate: look for the highest rate too
	Size     int  // members, links, conversations or messages; 0 is the scenario's own
	Seed     uint64
	Profiles string  // folder for a CPU profile of each of the server's windows; "": none
	MaxSteal float64 // share of the CPU time (0 to 1) that other guests may take of a window
}

// settings are the options as a report tells them.
func (o Options) settings() map[string]any {
	return map[string]any{
		"server": "serve, shipped settings", "runs": o.Runs, "repeats": o.Repeats, "warm_up": o.WarmUp.String(),
		"window": o.Window.String(), "probe": o.Probe.String(), "users": o.Users, "outstanding": o.K,
		"rate": o.Rate, "duration": o.Duration.String(), "find": o.Find, "size": o.Size, "seed": o.Seed, "text_bytes": textBytes, "max_steal": o.MaxSteal, "profiles": o.Profiles,
		"gomaxprocs": runtime.GOMAXPROCS(0),
	}
}

// settingsLine prints settings in the order of their names.
func settingsLine(settings map[string]any) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s=%v ", name, settings[name])
	}
	return strings.TrimSpace(b.String())
}

// runner runs windows, each on a fresh child with fresh data.
type runner struct {
	Options
	self  string // this binary, for the echo server
	out   io.Writer
	texts *textPool
	// highest is the rate that --find found; 0: none was looked for.
	highest float64
}

// newRunner checks the options and prepares the data folder.
func newRunner(o Options, out io.Writer) (*runner, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, harness("finding the binary: %w", err)
	}
	if o.Server == "" {
		o.Server = self
	}
	for _, dir := range []string{o.DataRoot, o.Profiles} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, harness("a folder of the options: %w", err)
		}
	}
	return &runner{Options: o, self: self, out: out, texts: newTextPool(o.Seed)}, nil
}

// check returns a harness failure if an option is out of its range.
func (o *Options) check() error {
	if o.Users < 2 || o.Users%2 != 0 || o.Users > 100_000 {
		return harness("--users must be an even number from 2 to 100000")
	}
	if o.Size != 0 && (o.Size < 2 || o.Size > 100_000) {
		return harness("--size must be 2 to 100000")
	}
	if o.Runs < 1 || o.Repeats < 1 || o.Window <= 0 || o.WarmUp < 0 || o.Rate < 0 || o.Probe <= 0 || o.Duration < 0 {
		return harness("--runs, --repeats, --window and --probe must be above 0, the others not below")
	}
	for _, k := range o.K {
		if k < 1 || k > 256 {
			return harness("-k must be 1 to 256")
		}
	}
	return nil
}

func (r *runner) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// onDisk returns an error if the data folder is in memory, where a sync costs
// nothing.
func (r *runner) onDisk() error {
	mem, err := inMemory(r.DataRoot)
	if err != nil {
		return harness("--data-root: %w", err)
	}
	if mem {
		return harness("--data-root %s is in memory: name a folder on a disk", r.DataRoot)
	}
	return nil
}

// start starts the server, or the echo server.
func (r *runner) start(ctx context.Context, echo bool) (*target, error) {
	if echo {
		return start(ctx, r.DataRoot, r.self, []string{"bench", "echo-server"}, true)
	}
	if err := r.onDisk(); err != nil {
		return nil, err
	}
	return start(ctx, r.DataRoot, r.Server, []string{"serve"}, false)
}

// serving runs do on a fresh server.
func (r *runner) serving(ctx context.Context, do func(*target) error) error {
	t, err := r.start(ctx, false)
	if err != nil {
		return err
	}
	err = do(t)
	if stopErr := t.stop(); err == nil {
		err = stopErr
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// profilePath returns the file of a profile; "": none is wanted.
func (r *runner) profilePath(name string) string {
	if r.Profiles == "" {
		return ""
	}
	return filepath.Join(r.Profiles, strings.NewReplacer(" ", "-", "/", "-").Replace(name)+".pprof")
}

// run measures one window on a fresh child, again if it was disturbed.
func (r *runner) run(ctx context.Context, name string, echo bool, p plan) (result, error) {
	if !echo {
		p.profile = r.profilePath(name)
	}
	var err error
	for range r.Repeats {
		var res result
		res, err = r.once(ctx, echo, p)
		if err == nil {
			r.say("%s: %s", name, res)
			return res, nil
		}
		if !errors.Is(err, errDisturbed) {
			break
		}
		r.say("%s: %v: again", name, err)
	}
	if echo { // the ceiling is a part of the harness, whatever happens to it
		return result{}, harness("%s: %w", name, err)
	}
	return result{}, &Failure{Code: exitCode(err), Err: fmt.Errorf("%s: %w", name, err)}
}

func (r *runner) once(ctx context.Context, echo bool, p plan) (result, error) {
	t, err := r.start(ctx, echo)
	if err != nil {
		return result{}, err
	}
	res, err := measure(ctx, t, r.texts, p)
	if stopErr := t.stop(); err == nil {
		err = stopErr
	}
	if err == nil {
		err = res.disturbed(r.MaxSteal)
	}
	return res, err
}

// pairs is the plan of a closed loop over pairs of users.
func (r *runner) pairs(k int) plan {
	return plan{shape: shape{users: r.Users}, k: k, warmUp: r.WarmUp, window: r.Window, seed: r.Seed}
}

// offered is the plan of an open loop over pairs of users.
func (r *runner) offered(rate float64, window time.Duration) plan {
	return plan{shape: shape{users: r.Users}, rate: rate, warmUp: r.WarmUp, window: window, seed: r.Seed}
}

// rate returns the rate chosen by flag, or the scenario's own.
func (r *runner) rateOr(own float64) float64 {
	if r.Rate > 0 {
		return r.Rate
	}
	return own
}

// sizeOr returns the size chosen by flag, or the scenario's own.
func (r *runner) sizeOr(own int) int {
	if r.Size > 0 {
		return r.Size
	}
	return own
}

// durationOr returns the duration chosen by flag, or the scenario's own.
func (r *runner) durationOr(own time.Duration) time.Duration {
	if r.Duration > 0 {
		return r.Duration
	}
	return own
}

// String tells a window's figures in one line.
func (r result) String() string {
	return fmt.Sprintf("acked %.0f/s, delivered %.0f/s; ack %s; delivery %s; cpu %.1f µs (generator %.1f), %.0f bytes a message; "+
		"rss %.0f MB; drained %.2fs, stored %.2fs; steal %.1f %%, others %.1f %%", r.acked, r.delivered, r.ack, r.delivery, r.cpu, r.ownCPU,
		r.bytes, megabytes(r.rss), r.drain.Seconds(), r.flush.Seconds(), r.steal*100, r.others*100)
}

func (l latencies) String() string {
	return fmt.Sprintf("p50 %.2f p99 %.2f p99.9 %.2f max %.1f ms", millis(l.p50), millis(l.p99), millis(l.p999), millis(l.max))
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// megabytes are of 10^6 bytes.
func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }
