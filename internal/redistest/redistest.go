// Package redistest gives tests real Redis servers, started by
// deploy/local/redis.sh, if MERCHANTIM_TEST_REDIS is set; without it there is
// nothing to test on, and those tests are not run.
package redistest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/merchantim/merchantim/internal/redisconn"
)

// Wanted reports whether tests on real servers are asked for.
func Wanted() bool { return os.Getenv("MERCHANTIM_TEST_REDIS") != "" }

// Servers are processes that end with the test.
type Servers struct {
	t     testing.TB
	dir   string
	Ports []string // of a cluster the three masters first, then their replicas
	whole bool
}

// One starts a server with these settings ("--appendfsync", "always").
func One(t testing.TB, settings ...string) *Servers { return start(t, "start", settings) }

// Cluster starts three masters with a replica each.
func Cluster(t testing.TB, settings ...string) *Servers { return start(t, "cluster", settings) }

func start(t testing.TB, what string, settings []string) *Servers {
	t.Helper()
	dir, err := os.MkdirTemp("", "merchantim-redis-")
	if err != nil {
		t.Fatal(err)
	}
	s := &Servers{t: t, dir: dir, whole: what == "cluster"}
	t.Cleanup(func() {
		s.run("stop", s.dir)
		if err := os.RemoveAll(s.dir); err != nil {
			t.Error(err)
		}
	})
	s.Ports = strings.Fields(s.run(append([]string{what, dir}, settings...)...))
	return s
}

// Conn says how to reach them.
func (s *Servers) Conn() redisconn.Options {
	o := redisconn.Options{Cluster: s.whole}
	for _, p := range s.Ports {
		o.Addrs = append(o.Addrs, "127.0.0.1:"+p)
	}
	return o
}

// Kill ends the server of a port as kill -9 does.
func (s *Servers) Kill(port string) { s.t.Helper(); s.run("kill", s.dir, port) }

// Again starts those that were killed, each with the data that it has kept.
func (s *Servers) Again() { s.t.Helper(); s.run("again", s.dir) }

func (s *Servers) run(args ...string) string {
	s.t.Helper()
	_, here, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(here), "..", "..", "deploy", "local", "redis.sh")
	cmd := exec.Command(script, args...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("redis.sh %s: %v\n%s", args[0], err, said.String())
	}
	return string(out)
}
