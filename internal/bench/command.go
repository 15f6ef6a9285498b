package bench

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Command returns `merchantim bench`; it runs until its context ends. The errors of its runs are *Failure,
// which knows the process's exit code: 0 every bar holds, 1 the product failed,
// 2 the harness did.
func Command() *cobra.Command {
	var o Options
	var asJSON bool
	all := scenarios()
	names := make([]string, len(all))
	var long strings.Builder
	long.WriteString("Starts the server as a child process, loads it over real sockets and prints\n" +
		"figures against their bars. Scenarios:\n\n")
	for i, s := range all {
		names[i] = s.name
		long.WriteString("  " + s.name + strings.Repeat(" ", 10-len(s.name)) + " " + s.short + "\n")
	}
	long.WriteString("\nExit code: 0 every bar holds, 1 the product failed, 2 the harness did.")
	cmd := &cobra.Command{
		Use:   "bench SCENARIO",
		Short: "Measure the server against its bars",
		Long:  long.String(),
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)(cmd, args); err != nil {
				return harness("%w", err)
			}
			return nil
		},
		ValidArgs:    names,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return report(cmd.Context(), cmd.OutOrStdout(), args[0], o, asJSON)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return harness("%w", err) })
	o.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as one line of JSON, the last line")
	cmd.AddCommand(echoCommand())
	return cmd
}

func (o *Options) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.Server, "server", "", "binary of the server (default: this one)")
	f.StringVar(&o.DataRoot, "data-root", filepath.Join("data", "bench"), "folder for the servers' data, removed after each window; its disk is measured")
	f.IntVar(&o.Runs, "runs", 5, "interleaved runs of which the median counts")
	f.IntVar(&o.Repeats, "repeats", 4, "how often a disturbed window is measured before the harness fails")
	f.DurationVar(&o.WarmUp, "warm-up", 5*time.Second, "load before a window")
	f.DurationVar(&o.Window, "window", 20*time.Second, "length of a window of echo, pairs and rate")
	f.DurationVar(&o.Probe, "probe", 5*time.Second, "length of a probe of the disk")
	f.IntVar(&o.Users, "users", 1000, "users, each with one link")
	f.IntSliceVarP(&o.K, "outstanding", "k", []int{8, 1}, "messages on the way for each sender, in echo and pairs")
	f.Float64Var(&o.Rate, "rate", 0, "messages offered a second (default: the scenario's)")
	f.DurationVar(&o.Duration, "duration", 0, "length of a window of disk, wide, rss, overload and --find, and of idle's rest (default: the scenario's)")
	f.BoolVar(&o.Find, "find", false, "rate: look for the highest rate held too")
	f.IntVar(&o.Size, "size", 0, "members of group, links of idle, conversations of login, messages of catchup (default: the scenario's)")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of texts and order")
	f.StringVar(&o.Profiles, "profiles", "", "folder for a CPU profile of each of the server's windows (costs the server a little)")
	f.Float64Var(&o.MaxSteal, "max-steal", 0.02, "share of CPU time stolen by other guests above which a window is measured again")
}

// report runs one scenario and prints its report.
func report(ctx context.Context, out io.Writer, name string, o Options, asJSON bool) error {
	rep := newReport(name)
	rep.Machine = thisMachine(o.DataRoot)
	rep.Settings = o.settings()
	err := rep.finish(conduct(ctx, out, name, o, rep))
	if printErr := rep.table(out); printErr != nil {
		return harness("printing: %w", printErr)
	}
	if asJSON {
		if printErr := rep.line(out); printErr != nil {
			return harness("printing: %w", printErr)
		}
	}
	return err
}

// conduct runs a scenario.
func conduct(ctx context.Context, out io.Writer, name string, o Options, rep *Report) error {
	r, err := newRunner(o, out)
	if err != nil {
		return err
	}
	r.say("machine: %s", thisMachine(o.DataRoot))
	r.say("settings: %s", settingsLine(rep.Settings))
	for _, s := range scenarios() {
		if s.name == name {
			return s.run(ctx, r, rep)
		}
	}
	return harness("no scenario %q", name)
}

func echoCommand() *cobra.Command {
	var o echoOptions
	cmd := &cobra.Command{
		Use:    "echo-server",
		Short:  "The ceiling: a server that keeps nothing (started by bench)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serveEcho(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", "", "folder for the admin key")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of the long link")
	f.StringVar(&o.admin, "admin", "127.0.0.1:0", "address of the admin listener")
	f.StringVar(&o.portsFile, "ports-file", "", "file to write the addresses to")
	return cmd
}
