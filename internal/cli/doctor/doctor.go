// Package doctor looks at a data folder, the server that runs on it and the
// machine below, and says what is wrong, what is doubtful and what is well.
//
// It changes nothing that a server keeps, and works beside a live one. What it
// cannot find out it says so; it never guesses that something is well.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/merchantim/merchantim/config"
)

// State is how a thing is found.
type State string

// States of a finding.
const (
	OK    State = "ok"
	Doubt State = "doubt" // works, but someone should look
	Wrong State = "wrong" // does not work, or will not for long
)

// Finding is one thing looked at.
type Finding struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Detail string `json:"detail"`
}

// Report is everything looked at. OK says that nothing is wrong.
type Report struct {
	OK       bool      `json:"ok"`
	Findings []Finding `json:"findings"`
}

// Examine looks at everything. It takes a few seconds at most.
func Examine(ctx context.Context, cfg config.Config) Report {
	dir := existing(cfg.Data)
	findings := []Finding{
		data(cfg.Data, dir),
		filesystem(dir),
		space(dir),
		keys(cfg.Data),
		server(ctx, cfg.Data),
		listener(cfg.Admin),
		files(cfg.Link.MaxConnections),
		clock(cfg.Data, time.Now()),
		syncTimes(ctx, dir),
	}
	r := Report{OK: true, Findings: findings}
	for _, f := range findings {
		r.OK = r.OK && f.State != Wrong
	}
	return r
}

func found(name string, state State, format string, args ...any) Finding {
	return Finding{Name: name, State: state, Detail: fmt.Sprintf(format, args...)}
}

// existing is the folder itself, or the nearest above it that is there: the
// one in which the first start would make it.
func existing(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	for {
		if _, err := os.Stat(abs); !errors.Is(err, fs.ErrNotExist) || abs == filepath.Dir(abs) {
			return abs
		}
		abs = filepath.Dir(abs)
	}
}

// data says whether the folder can be written to.
func data(dir, there string) Finding {
	probe, err := os.MkdirTemp(there, ".doctor-*")
	if err == nil {
		err = os.Remove(probe)
	}
	if err != nil {
		return found("data", Wrong, "%s cannot be written to: %v", there, err)
	}
	if _, err := os.Stat(dir); err != nil {
		return found("data", OK, "%s is not there yet; the first start makes it", dir)
	}
	return found("data", OK, "%s can be written to", dir)
}
