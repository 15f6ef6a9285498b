package torture

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/merchantim/merchantim/internal/torture/fault"
)

// TestBreaks runs the torture with every fault and wants it caught: exit code
// 1, and the field that the fault names not 0. It takes some minutes and runs
// only when asked: MERCHANTIM_TORTURE_BREAKS=1 (or the name of one fault).
func TestBreaks(t *testing.T) {
	which := os.Getenv("MERCHANTIM_TORTURE_BREAKS")
	if which == "" {
		t.Skip("MERCHANTIM_TORTURE_BREAKS is not set")
	}
	bin := filepath.Join(t.TempDir(), "merchantim")
	if out, err := exec.Command("go", "build", "-o", bin, "../..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, f := range fault.All() {
		if which != "1" && which != f.Name {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			var stderr bytes.Buffer
			cmd := exec.Command(bin, "torture", "--json", "--kills", "8", "--duration", "20s",
				"--break", f.Name, "--dir", t.TempDir())
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			var exited *exec.ExitError
			if !errors.As(err, &exited) || exited.ExitCode() != exitBroken {
				t.Fatalf("ended with %v\n%s%s", err, stderr.Bytes(), out)
			}
			t.Logf("%s", out)
			var fields map[string]any
			if err := json.Unmarshal(out, &fields); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if n, ok := fields[f.Field].(float64); !ok || n == 0 {
				t.Errorf("%s is %v\n%s", f.Field, fields[f.Field], stderr.Bytes())
			}
			if unrecovered, ok := fields["unrecovered"].(bool); !ok || unrecovered {
				t.Error("the server did not come back: the checker had nothing to see")
			}
		})
	}
}
