package bench

import (
	"errors"
	"fmt"
)

// Exit codes of `merchantim bench`.
const (
	// ExitHolds: every bar holds.
	ExitHolds = 0
	// ExitProduct: the server missed a bar, or lost, repeated or reordered
	// messages, or closed a link.
	ExitProduct = 1
	// ExitHarness: the measurement itself failed; it says nothing about the
	// server. A disturbed machine, a child that did not start, bad flags.
	ExitHarness = 2
)

// Failure is an error that knows the exit code of the process.
type Failure struct {
	Code int // ExitProduct or ExitHarness
	Err  error
}

func (f *Failure) Error() string { return f.Err.Error() }

func (f *Failure) Unwrap() error { return f.Err }

// ExitCode returns the process's exit code.
func (f *Failure) ExitCode() int { return f.Code }

func product(format string, args ...any) error {
	return &Failure{Code: ExitProduct, Err: fmt.Errorf(format, args...)}
}

func harness(format string, args ...any) error {
	return &Failure{Code: ExitHarness, Err: fmt.Errorf(format, args...)}
}

// exitCode returns the code of an error; one without a code is the harness's.
func exitCode(err error) int {
	if err == nil {
		return ExitHolds
	}
	var f *Failure
	if errors.As(err, &f) {
		return f.Code
	}
	return ExitHarness
}

// whose names who failed, for people.
func whose(code int) string {
	if code == ExitProduct {
		return "product failure: "
	}
	return "harness failure: "
}
