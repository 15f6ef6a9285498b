package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/app"
)

func serveCommand(program string) *cobra.Command {
	var (
		s         settings
		portsFile string
		printOnly bool
		shipped   = config.Default()
	)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server until it is told to stop",
		Long: `Run the server until it is told to stop (Ctrl-C or SIGTERM).

Settings come from the shipped values, then --config, then the environment
(MERCHANTIM_JOURNAL_SEGMENT_BYTES for journal.segment_bytes), then these flags.`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	s.add(flags, "data", "data", shipped.Data, "folder that holds everything the server keeps")
	s.add(flags, "listen", "listen", shipped.Listen, "address for clients; port 0 picks a free one")
	s.add(flags, "admin", "admin", shipped.Admin, "address for health, metrics and commands")
	flags.StringVar(&portsFile, "ports-file", "", "write the bound addresses here as JSON when ready")
	flags.BoolVar(&printOnly, "print-config", false, "print the effective configuration and stop")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.load(cmd.Flags())
		switch {
		case err != nil:
			return err
		case printOnly:
			return cfg.Print(cmd.OutOrStdout())
		}
		keepHeapSmall()
		spareThreads()
		srv := server{cfg: cfg, portsFile: portsFile, program: program, out: cmd.OutOrStdout(), log: cmd.ErrOrStderr()}
		return srv.run(cmd.Context())
	}
	return cmd
}

// heapGrowth is how much the heap may grow between two collections, in per cent
// of what is alive. What is alive is mostly buffers without pointers, so twice
// the collections cost nothing that can be measured (82 µs a message at 12,000
// a second either way), and the process stays a quarter smaller.
const heapGrowth = 50

// keepHeapSmall sets heapGrowth unless whoever started the server set his own.
func keepHeapSmall() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}

// atTheDisk is how many threads of Go code run beyond one a core. The log's
// committer is in the kernel, syncing or waiting for its time, for most of a
// second, the maker of tables often; the runtime takes their place for idle
// only after a while, and on two cores that while was most of the 99th
// percentile (5,000/s, medians of 5: 13 to 9 ms).
const atTheDisk = 2

// spareThreads makes room for those unless whoever started the server has.
func spareThreads() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + atTheDisk)
	}
}

// server is one run of serve.
type server struct {
	cfg       config.Config
	portsFile string
	program   string
	out, log  io.Writer
}

// run claims the data folder, serves until ctx ends and leaves both files of
// addresses only while the server answers.
func (s server) run(ctx context.Context) (err error) {
	claim, err := admin.ClaimData(s.cfg.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.withdraw(), claim.Close()) }()
	if err := s.withdraw(); err != nil { // of a run that was killed
		return err
	}
	a, err := app.Open(s.cfg, newLogger(s.cfg.Log, s.log))
	if err != nil {
		return err
	}
	return a.Serve(ctx, func() error {
		return s.announce(claim, admin.Ports{Listen: a.Addr(), Admin: a.AdminAddr()})
	})
}

func (s server) announce(claim *admin.Claim, ports admin.Ports) error {
	if err := claim.Announce(ports); err != nil {
		return err
	}
	if s.portsFile != "" {
		if err := ports.Write(s.portsFile); err != nil {
			return err
		}
	}
	where := dataFlag(s.cfg.Data)
	_, err := fmt.Fprintf(s.out, `merchantim is ready.

  clients  ws://%s/v1/link
           http://%[1]s/v1 (how: http://%[1]s/v1/docs)
  admin    http://%[2]s (health, metrics)
  data     %[3]s

To see it work, open two more terminals here and chat:

  %[4]s demo --as alice --with bob%[5]s
  %[4]s demo --as bob --with alice%[5]s

Ctrl-C stops the server. Kill it and start it again, too: nothing is lost.
`, ports.Listen, ports.Admin, s.cfg.Data, s.program, where)
	return err
}

func (s server) withdraw() error {
	if s.portsFile == "" {
		return nil
	}
	err := os.Remove(s.portsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// dataFlag is what a command needs to find a data folder: nothing for the
// shipped one.
func dataFlag(data string) string {
	if data == config.Default().Data {
		return ""
	}
	return " --data " + data
}
