package bench_test

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/internal/cli"
)

// The test binary is the whole program too: bench starts its own executable as
// the server and as the echo server.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "bench" || os.Args[1] == "serve") {
		os.Exit(program())
	}
	goleak.VerifyTestMain(m)
}

func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Execute(ctx, os.Args, os.Stdout, os.Stderr)
}
