// Package cli is the command line: one file a command. A command reads its
// flags, calls the package that does the work and prints what it says.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/bench"
	"github.com/merchantim/merchantim/internal/client/demo"
	"github.com/merchantim/merchantim/internal/torture"
)

// Codes that the process exits with. A command may return an error with an
// ExitCode of its own.
const (
	exitFailed = 1
	exitMisuse = 2
)

// Execute runs the command that args (the program's name first) ask for until
// it is done or ctx ends, and returns the code to exit with.
func Execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	program := "merchantim"
	if len(args) > 0 {
		program, args = args[0], args[1:]
	}
	root := &cobra.Command{
		Use:           "merchantim",
		Short:         "A self-hosted message platform in one program",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return misuse{err} })
	root.AddCommand(
		serveCommand(program),
		tokenCommand(program),
		demo.Command(),
		bench.Command(),
		torture.Command(),
		torture.ServerCommand(),
		doctorCommand(program),
		versionCommand(),
	)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if message := err.Error(); message != "" {
		_, _ = fmt.Fprintln(stderr, "merchantim:", message)
	}
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return exitFailed
}

// misuse is an error in how a command was called.
type misuse struct{ error }

func (m misuse) Unwrap() error { return m.error }

func (misuse) ExitCode() int { return exitMisuse }

// failed ends a command that has said itself what is wrong.
type failed struct{}

func (failed) Error() string { return "" }

func (failed) ExitCode() int { return exitFailed }

// settings are the flags by which a command finds its configuration: a file,
// and one flag for a setting each, which win over file and environment.
type settings struct {
	file  string
	paths map[string]string // flag → path of the setting
}

// add makes the flag of one setting.
func (s *settings) add(flags *pflag.FlagSet, name, path, shipped, usage string) {
	if s.paths == nil {
		s.paths = map[string]string{}
		flags.StringVar(&s.file, "config", "", "configuration file (YAML, TOML or JSON)")
	}
	s.paths[name] = path
	flags.String(name, shipped, usage)
}

func (s *settings) load(flags *pflag.FlagSet) (config.Config, error) {
	given := map[string]any{}
	flags.Visit(func(f *pflag.Flag) {
		if path, found := s.paths[f.Name]; found {
			given[path] = f.Value.String()
		}
	})
	return config.Load(s.file, given)
}
