package torture

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/app"
	"github.com/merchantim/merchantim/internal/torture/fault"
	"github.com/merchantim/merchantim/internal/vfs"
)

// ServerCommand is merchantim torture-server, hidden: the production server on
// storage that loses at a kill what was not synced, with a fault if one is named.
func ServerCommand() *cobra.Command {
	shipped := config.Default()
	var seed uint64
	var name, portsFile, data, listen, adminAddr string
	cmd := &cobra.Command{
		Use:    "torture-server",
		Short:  "The server that torture kills when a kill is a loss of power",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := fault.Find(name)
			if err != nil {
				return err
			}
			cfg, err := config.Load("", map[string]any{"data": data, "listen": listen, "admin": adminAddr})
			if err != nil {
				return err
			}
			vary(&cfg, seed, f.Name != "")
			return serve(cmd.Context(), cfg, f, seed, portsFile, cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", shipped.Data, "as of serve")
	f.StringVar(&listen, "listen", shipped.Listen, "as of serve")
	f.StringVar(&adminAddr, "admin", shipped.Admin, "as of serve")
	f.StringVar(&portsFile, "ports-file", "", "as of serve")
	f.StringVar(&name, "break", "", "the fault")
	f.Uint64Var(&seed, "seed", 0, "picks settings, and what reaches the disk before its sync")
	return cmd
}

// vary gives two thirds of the lives other settings than the shipped ones:
// either all that waits its time comes often (flushes, checkpoints, new
// segments), or there is little room, so that senders are asked to wait. With a
// fault only times are changed: old segments that are gone and tables that are
// written early would turn one fault into another.
func vary(cfg *config.Config, seed uint64, faulty bool) {
	hurry := func() {
		cfg.Store.FlushInterval = 100 * time.Millisecond
		cfg.Store.CheckpointInterval = 400 * time.Millisecond
	}
	switch {
	case faulty:
		hurry()
	case seed%3 == 1:
		hurry()
		cfg.Journal.SegmentBytes = 4 * config.MiB
		cfg.Store.WriteBuffer = 1 * config.MiB
	case seed%3 == 2:
		cfg.Journal.SyncInterval = 20 * time.Millisecond
		cfg.Journal.MaxPendingBytes = 2 * config.MiB
		cfg.Link.MaxInflight = 6
	}
}

// leaks are the shares of unsynced pages that reach the disk all the same.
var leaks = []float64{0, 0, 0.02, 0.3, 0.9}

func serve(ctx context.Context, cfg config.Config, f fault.Fault, seed uint64, portsFile string, log io.Writer) (err error) {
	claim, err := admin.ClaimData(cfg.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, claim.Close()) }()
	rng := rand.New(rand.NewPCG(seed, 0))
	leak := leaks[rng.IntN(len(leaks))]
	if f.FS != nil {
		leak = 0 // a disk that lies must at least not show it: the log finds holes by itself
	}
	disk := vfs.Unsynced(vfs.OS(), leak, rng.Uint64())
	a, err := app.Open(cfg, slog.New(slog.NewTextHandler(log, nil)), decorated(disk, f)...)
	if err != nil {
		return err
	}
	return a.Serve(ctx, func() error {
		return admin.Ports{Listen: a.Addr(), Admin: a.AdminAddr()}.Write(portsFile)
	})
}

func decorated(disk vfs.FS, f fault.Fault) []app.Option {
	if f.FS != nil {
		disk = f.FS(disk)
	}
	opts := []app.Option{app.WithFS(disk)}
	if f.Log != nil {
		opts = append(opts, app.WrapLog(f.Log))
	}
	if f.KV != nil {
		opts = append(opts, app.WrapKV(f.KV))
	}
	if f.Service != nil {
		opts = append(opts, app.WrapService(f.Service))
	}
	return opts
}
