// Package torture is merchantim torture: it runs the real server as a process
// of its own, has clients talk through real sockets, kills the server with
// kill -9 at random moments and starts it again, and at the end holds
// everything that any client was ever told against what the server has.
//
// In a share of its lives the server is the hidden torture-server: the same
// composition root on storage that keeps unsynced writes in process memory, so
// that the kill is a loss of power.
//
// It exits 0 if nothing differs, 1 if the server broke a promise, 2 if the
// harness itself failed and nothing can be said. --break runs a server with a
// known fault, which has to end with 1: that is how we know that the checker
// can see.
package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/merchantim/merchantim/internal/torture/fault"
	"github.com/merchantim/merchantim/internal/torture/trail"
)

// Exit codes.
const (
	exitBroken  = 1
	exitHarness = 2
)

// exit is an error with the code that the process ends with.
type exit struct {
	error
	code int
}

func (e exit) ExitCode() int { return e.code }
func (e exit) Unwrap() error { return e.error }

// Command is merchantim torture.
func Command() *cobra.Command {
	o := options{seed: uint64(time.Now().UnixNano()) % 1_000_000}
	var asJSON bool
	var checkDir string
	cmd := &cobra.Command{
		Use:   "torture",
		Short: "Kill a server again and again under load and check that nothing is lost",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			say := cmd.OutOrStdout()
			if asJSON {
				say = cmd.ErrOrStderr()
			}
			if o.fault == "list" {
				return fault.List(cmd.OutOrStdout())
			}
			r, err := o.perform(cmd.Context(), checkDir, say)
			return finish(cmd.OutOrStdout(), say, r, err)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.kills, "kills", 10, "how often the server is killed")
	f.DurationVar(&o.duration, "duration", 40*time.Second, "how long the load lasts")
	f.BoolVar(&asJSON, "json", false, "print only the last line, a JSON object, to standard output")
	f.Float64Var(&o.power, "power", 0.5, "share of the server's lives that end with a loss of power")
	f.IntVar(&o.users, "users", 24, "users of the load")
	f.Float64Var(&o.rate, "rate", 2500, "what all clients do together in a second")
	f.IntVar(&o.window, "window", 12, "messages that a client sends without waiting for the receipt of the first")
	f.Uint64Var(&o.seed, "seed", o.seed, "makes the plan of the kills and of the load")
	f.StringVar(&o.dir, "dir", "", "folder for everything, empty or absent (default: a temporary one, kept after a failure)")
	f.BoolVar(&o.keep, "keep", false, "keep the folder of a clean run, too")
	f.StringVar(&o.fault, "break", "", "run with this fault, to see it caught; list names them")
	f.StringVar(&checkDir, "check", "", "judge the kept folder of an earlier run again")
	return cmd
}

func (o options) perform(ctx context.Context, checkDir string, say io.Writer) (Report, error) {
	if checkDir != "" {
		return recheck(checkDir)
	}
	if err := o.check(); err != nil {
		return Report{}, err
	}
	exe, err := os.Executable()
	if err != nil {
		return Report{}, err
	}
	o.exe = exe
	if err := o.folder(); err != nil {
		return Report{}, err
	}
	r := runner{options: o, say: say, clock: trail.NewClock()}
	r.tell("seed %d, folder %s", o.seed, o.dir)
	report, err := r.run(ctx)
	if err == nil && report.Clean() && !o.keep {
		return report, os.RemoveAll(o.dir)
	}
	report.Dir = o.dir
	return report, err
}

// folder makes the folders of the run.
func (o *options) folder() error {
	var err error
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "merchantim-torture-"); err != nil {
			return err
		}
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	for _, sub := range []string{"trails", "logs", "data"} {
		dir := filepath.Join(o.dir, sub)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			return errors.Join(err, fmt.Errorf("%w: %s is not empty", errOptions, dir))
		}
	}
	return nil
}

// finish prints the report and picks the exit code.
func finish(out, say io.Writer, r Report, err error) error {
	if err != nil {
		return exit{fmt.Errorf("torture: the harness failed: %w", err), exitHarness}
	}
	if err := r.explain(say); err != nil {
		return exit{err, exitHarness}
	}
	line, err := json.Marshal(r)
	if err == nil {
		_, err = fmt.Fprintf(out, "%s\n", line)
	}
	switch {
	case err != nil:
		return exit{err, exitHarness}
	case !r.Clean():
		return exit{errors.New("torture: the server broke a promise"), exitBroken}
	case r.Acked == 0:
		return exit{errors.New("torture: no message was ever acked, nothing is proved"), exitHarness}
	}
	return nil
}
