package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// result is what became of one mutation.
type result struct {
	*mutation
	by      string // what caught it; "": nothing
	seconds float64
	sim     string // what the simulation said; "": it was not asked
}

func (r *result) caught() bool { return r.by != "" || r.sim == caughtBySim }

// What the simulation says.
const (
	caughtBySim = "caught"
	notBySim    = "–"
)

// try puts a mutation in and runs what is expected to catch it.
func (t *tree) try(ctx context.Context, m *mutation, o *options) (r result, err error) {
	r.mutation = m
	restore, err := t.mutate(m)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, restore()) }()
	begun := time.Now()
	for _, args := range m.tests {
		failed, err := t.test(ctx, o.timeout, args...)
		if err != nil {
			return r, fmt.Errorf("%s: %w", m.name, err)
		}
		if failed != "" {
			r.by = args[0] + " " + failed
			break
		}
	}
	r.seconds = time.Since(begun).Seconds()
	if o.seeds > 0 && t.simulates() {
		failed, err := t.test(ctx, 2*o.timeout, "./internal/sim", "-run", ".", "-sim.seeds", strconv.Itoa(o.seeds))
		if err != nil {
			return r, fmt.Errorf("%s: %w", m.name, err)
		}
		if r.sim = notBySim; failed != "" {
			r.sim = caughtBySim
		}
	}
	return r, nil
}

// simulates reports whether the tree has the simulation.
func (t *tree) simulates() bool {
	tests, err := filepath.Glob(filepath.Join(t.root, "internal", "sim", "*_test.go"))
	return err == nil && len(tests) > 0
}

var (
	failedTest  = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)
	runningTest = regexp.MustCompile(`(?m)^\s*running tests:\n\s+(\w+)`)
)

// test runs go test and returns what failed, "" if nothing did. What does not
// build is an error.
func (t *tree) test(ctx context.Context, timeout time.Duration, args ...string) (failed string, err error) {
	// Beyond its own limit a test is ended from outside.
	ctx, cancel := context.WithTimeout(ctx, 2*timeout+time.Minute)
	defer cancel()
	args = append([]string{"test", "-vet=off", "-count=1", "-failfast", "-timeout", timeout.String()}, args...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = t.root
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	text := out.String()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case strings.Contains(text, "no tests to run"):
		return "", fmt.Errorf("go %s: no test is of that name", strings.Join(args, " "))
	case err == nil:
		return "", nil
	case !errors.As(err, new(*exec.ExitError)):
		return "", err
	case strings.Contains(text, "[build failed]") || strings.Contains(text, "[setup failed]"):
		return "", fmt.Errorf("it does not build:\n%s", text)
	}
	return reason(text)
}

// reason finds in the output of go test what failed.
func reason(text string) (string, error) {
	test := failedTest.FindStringSubmatch(text)
	hung := runningTest.FindStringSubmatch(text)
	switch {
	case hung != nil:
		return hung[1] + " (no end)", nil
	case test != nil:
		return test[1], nil
	case strings.Contains(text, "panic: "), strings.Contains(text, "fatal error: "):
		return "(panic)", nil
	case strings.Contains(text, "\nFAIL"):
		return "(fails)", nil // goleak, say
	}
	return "", fmt.Errorf("go test failed without a test:\n%s", text)
}
