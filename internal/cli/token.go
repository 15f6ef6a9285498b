package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/auth"
)

func tokenCommand(program string) *cobra.Command {
	var (
		s      settings
		ttl    time.Duration
		addr   string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "token USER…",
		Short: "Make tokens for users, and the users themselves",
		Long: `Make a token for each user, and the users that are not there yet.

It asks the server that runs on the data folder. One user's token is printed
alone; several are printed as lines of user and token.`,
		Args: func(_ *cobra.Command, users []string) error {
			if len(users) == 0 || len(users) > admin.MaxUsers {
				return misuse{fmt.Errorf("name 1 to %d users, such as: %s token alice bob", admin.MaxUsers, program)}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	s.add(flags, "data", "data", config.Default().Data, "folder of the server's data")
	flags.StringVar(&addr, "admin", "", "the server's admin address (default: found in the data folder)")
	flags.DurationVar(&ttl, "ttl", admin.DefaultTTL, "how long a token lives")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.RunE = func(cmd *cobra.Command, users []string) error {
		cfg, err := s.load(cmd.Flags())
		if err != nil {
			return err
		}
		if ttl <= 0 || ttl > auth.MaxTTL {
			return misuse{fmt.Errorf("--ttl is above 0 and at most %v", auth.MaxTTL)}
		}
		client, err := find(program, cfg.Data, addr)
		if err != nil {
			return err
		}
		tokens, err := client.Tokens(cmd.Context(), users, ttl)
		if err != nil {
			return err
		}
		return printTokens(cmd.OutOrStdout(), users, tokens, asJSON)
	}
	return cmd
}

// find returns a client of the live server, or says how to start one.
func find(program, data, addr string) (*admin.Client, error) {
	if addr != "" {
		key, err := auth.AdminKey(data)
		if err != nil {
			return nil, err
		}
		return admin.NewClient(addr, key), nil
	}
	client, _, err := admin.Find(data)
	if errors.Is(err, admin.ErrNoServer) {
		return nil, fmt.Errorf("%w\nStart one in another terminal and try again:\n\n  %s serve%s", err, program, dataFlag(data))
	}
	return client, err
}

func printTokens(w io.Writer, users []string, tokens map[string]string, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(map[string]any{"tokens": tokens})
	}
	for _, user := range users {
		line := user + "\t" + tokens[user]
		if len(users) == 1 {
			line = tokens[user]
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
