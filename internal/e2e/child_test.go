package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/merchantim/merchantim/internal/app"
)

// childData in the environment makes the test binary a server on that folder.
const childData = "MERCHANTIM_E2E_CHILD_DATA"

// beChild serves until it is killed. Its address is its one line of output.
func beChild(data string) int {
	a, err := app.Open(settings(data), quiet())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		<-a.Ready()
		fmt.Printf("%q\n", a.Addr())
	}()
	if err := a.Run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

// child is a server in a process of its own.
type child struct {
	cmd  *exec.Cmd
	addr string
}

func spawn(t *testing.T, data string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0]) //nolint:gosec // this very test
	cmd.Env, cmd.Stderr = append(os.Environ(), childData+"="+data), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd}
	t.Cleanup(c.kill)
	if err := json.NewDecoder(out).Decode(&c.addr); err != nil {
		t.Fatalf("the server in its own process did not start: %v", err)
	}
	return c
}

// kill ends the process as a failing machine would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may be dead
	_ = c.cmd.Wait()
}
