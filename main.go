// Command merchantim is a self-hosted message platform in one program.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/merchantim/merchantim/internal/cli"
)

func main() { os.Exit(run()) }

// run ends its context at the first signal to stop. A second one ends the
// process at once: nothing answered is lost by that.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return cli.Execute(ctx, os.Args, os.Stdout, os.Stderr)
}
