package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/app"
	"github.com/merchantim/merchantim/internal/usecase"
)

// deadCommand is about the records that could not be processed.
func deadCommand(program string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "List, show and replay records that could not be processed",
		Long: `List, show and replay records that could not be processed.

Such a record is parked: an entry of the kind "void" holds its place, and the
record stays as a dead letter. A running server is asked; the files of a stopped
one are read, and show what it had written.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(deadList(), deadShow(), deadReplay(program))
	return cmd
}

// letters is a command about dead letters with what all of them take.
type letters struct {
	settings
	asJSON bool
}

func (l *letters) flags(cmd *cobra.Command) {
	l.add(cmd.Flags(), "data", "data", config.Default().Data, "folder of the server's data")
	cmd.Flags().BoolVar(&l.asJSON, "json", false, "print one JSON object")
}

// oneLetter takes exactly one id.
func oneLetter(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return misuse{errors.New("name one dead letter by its id, such as 1-0-4711")}
	}
	if _, ok := domain.ParsePlace(args[0]); !ok {
		return misuse{fmt.Errorf("%q is not the id of a dead letter, such as 1-0-4711", args[0])}
	}
	return nil
}

func deadList() *cobra.Command {
	var (
		l     letters
		after string
		limit int
	)
	cmd := &cobra.Command{Use: "list", Short: "List dead letters, the oldest first", Args: cobra.NoArgs}
	l.flags(cmd)
	cmd.Flags().StringVar(&after, "after", "", "begin after the letter with this id")
	cmd.Flags().IntVar(&limit, "limit", usecase.MaxDead, "how many at most")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		place, ok := domain.ParsePlace(after)
		if after != "" && !ok {
			return misuse{fmt.Errorf("--after: %q is not the id of a dead letter", after)}
		}
		if limit < 1 || limit > usecase.MaxDead {
			return misuse{fmt.Errorf("--limit is 1 to %d", usecase.MaxDead)}
		}
		page := admin.Letters{Letters: []admin.Letter{}}
		err := l.ask(cmd, func(ctx context.Context, c *admin.Client) (err error) {
			page, err = c.Letters(ctx, after, limit)
			return err
		}, func(ctx context.Context, s *usecase.Service) error {
			from := &place
			if after == "" {
				from = nil
			}
			all, refusal := s.DeadLetters(ctx, from, limit)
			if refusal != nil {
				return refusal
			}
			page = admin.NewLetters(all, limit)
			return nil
		})
		if err != nil {
			return err
		}
		return l.print(cmd.OutOrStdout(), page, func(w io.Writer) error { return printLetters(w, &page) })
	}
	return cmd
}

func deadShow() *cobra.Command {
	var l letters
	cmd := &cobra.Command{Use: "show ID", Short: "Show one dead letter, all but what was written in it", Args: oneLetter}
	l.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var letter admin.Letter
		err := l.ask(cmd, func(ctx context.Context, c *admin.Client) (err error) {
			letter, err = c.Letter(ctx, args[0])
			return err
		}, func(ctx context.Context, s *usecase.Service) error {
			place, _ := domain.ParsePlace(args[0])
			d, refusal := s.DeadLetter(ctx, place)
			if refusal != nil {
				return refusal
			}
			letter = admin.NewLetter(&d)
			return nil
		})
		switch {
		case err != nil:
			return err
		case letter.ID == "":
			return errors.New("there is no data in this folder")
		}
		return l.print(cmd.OutOrStdout(), letter, func(w io.Writer) error { return printLetter(w, &letter) })
	}
	return cmd
}

func deadReplay(program string) *cobra.Command {
	var l letters
	cmd := &cobra.Command{
		Use:   "replay ID",
		Short: "Take the record of a dead letter after all",
		Long: `Take the record of a dead letter after all: it becomes a new entry, decided on
like a message of now. A letter is replayed once; a second time says what came of
the first. It needs a running server.`,
		Args: oneLetter,
	}
	l.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := l.load(cmd.Flags())
		if err != nil {
			return err
		}
		client, err := find(program, cfg.Data, "")
		if err != nil {
			return err
		}
		done, err := client.Replay(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return l.print(cmd.OutOrStdout(), done, func(w io.Writer) error { return printReplayed(w, &done) })
	}
	return cmd
}

// ask asks the live server, or, if none runs, looks into its files.
func (l *letters) ask(cmd *cobra.Command, live func(context.Context, *admin.Client) error, stopped func(context.Context, *usecase.Service) error) error {
	cfg, err := l.load(cmd.Flags())
	if err != nil {
		return err
	}
	client, _, err := admin.Find(cfg.Data)
	if err == nil {
		return live(cmd.Context(), client)
	}
	if !errors.Is(err, admin.ErrNoServer) {
		return err
	}
	return app.Stopped(cmd.Context(), cfg, slog.New(slog.DiscardHandler), func(s *usecase.Service) error {
		return stopped(cmd.Context(), s)
	})
}

func (l *letters) print(w io.Writer, value any, text func(io.Writer) error) error {
	if l.asJSON {
		return json.NewEncoder(w).Encode(value)
	}
	return text(w)
}

// plain shows what a record holds without what a terminal would obey.
func plain(text string) string {
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1]
}

func printLetters(w io.Writer, page *admin.Letters) error {
	if len(page.Letters) == 0 {
		_, err := fmt.Fprintln(w, "There are no dead letters.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(t, "ID\tSTATE\tCONVERSATION\tVOID\tKIND\tFROM\tBYTES")
	for _, l := range page.Letters {
		kind := l.Kind
		if l.Fault != "" {
			kind = "unreadable"
		}
		_, e := fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%d\n", l.ID, l.State, l.Conversation, l.Void, kind, plain(l.From), l.Bytes)
		err = errors.Join(err, e)
	}
	if err = errors.Join(err, t.Flush()); err == nil && page.Next != "" {
		_, err = fmt.Fprintf(w, "\nMore with --after %s\n", page.Next)
	}
	return err
}

func printLetter(w io.Writer, l *admin.Letter) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var errs []error
	line := func(name string, value any) {
		if text := fmt.Sprint(value); text != "" && text != "0" {
			_, err := fmt.Fprintf(t, "%s\t%s\n", name, text)
			errs = append(errs, err)
		}
	}
	line("id", l.ID)
	line("state", l.State)
	line("conversation", l.Conversation)
	line("void at", l.Void)
	line("bytes", l.Bytes)
	line("unreadable", l.Fault)
	line("kind", l.Kind)
	line("from", plain(l.From))
	line("key", plain(l.Key))
	if !l.Accepted.IsZero() {
		line("accepted", l.Accepted)
	}
	line("replayed at", l.Index)
	line("refused", l.Code)
	line("because", l.Reason)
	return errors.Join(append(errs, t.Flush())...)
}

func printReplayed(w io.Writer, r *admin.Replayed) (err error) {
	switch {
	case r.Again && r.Index > 0:
		_, err = fmt.Fprintf(w, "It was done before: entry %d of %s.\n", r.Index, r.Conversation)
	case r.Again:
		_, err = fmt.Fprintf(w, "It was done before; nothing was left to do in %s.\n", r.Conversation)
	case r.Index > 0:
		_, err = fmt.Fprintf(w, "Replayed: entry %d of %s.\n", r.Index, r.Conversation)
	default:
		_, err = fmt.Fprintf(w, "Nothing was left to do in %s.\n", r.Conversation)
	}
	return err
}
