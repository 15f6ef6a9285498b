package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/cli/doctor"
)

func doctorCommand(program string) *cobra.Command {
	var (
		s      settings
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at a data folder, its server and this machine",
		Long: `Look at a data folder, its server and this machine, and say what is wrong.

It changes nothing; to time the disk it writes a small file and removes it.
The exit code is 1 if something is wrong, 0 if all is well or merely doubtful.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(deadCommand(program))
	s.add(cmd.Flags(), "data", "data", config.Default().Data, "folder of the server's data")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.load(cmd.Flags())
		if err != nil {
			return err
		}
		report := doctor.Examine(cmd.Context(), cfg)
		if err := printReport(cmd.OutOrStdout(), report, asJSON); err != nil {
			return err
		}
		if !report.OK {
			return failed{}
		}
		return nil
	}
	return cmd
}

func printReport(w io.Writer, r doctor.Report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	for _, f := range r.Findings {
		if _, err := fmt.Fprintf(w, "%-5s %-11s %s\n", f.State, f.Name, f.Detail); err != nil {
			return err
		}
	}
	verdict := "All is well."
	if !r.OK {
		verdict = "Something is wrong: see what is marked «wrong»."
	}
	_, err := fmt.Fprintf(w, "\n%s\n", verdict)
	return err
}
