package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/cli"
)

// goleveldb ends one of its goroutines up to 30 s after Close.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// result is what a command left behind.
type result struct {
	code     int
	out, err string
}

func call(t *testing.T, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	code := cli.Execute(t.Context(), append([]string{"bin/merchantim"}, args...), &out, &err)
	return result{code: code, out: out.String(), err: err.String()}
}

// screen keeps what is printed and says when a word has appeared.
type screen struct {
	mu    sync.Mutex
	text  strings.Builder
	word  string
	shown chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := strings.Contains(s.text.String(), s.word)
	s.text.Write(p)
	if !before && strings.Contains(s.text.String(), s.word) {
		close(s.shown)
	}
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// serving is a server that runs until stop.
type serving struct {
	out, log *screen
	cancel   context.CancelFunc
	code     chan int
}

func serve(t *testing.T, data string, more ...string) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &serving{
		out: &screen{word: "ready", shown: make(chan struct{})}, log: &screen{word: "\x00"},
		cancel: cancel, code: make(chan int, 1),
	}
	args := append([]string{"bin/merchantim", "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, more...)
	go func() { s.code <- cli.Execute(ctx, args, s.out, s.log) }()
	select {
	case <-s.out.shown:
	case code := <-s.code:
		t.Fatalf("the server ended with %d: %s", code, s.log)
	}
	return s
}

func (s *serving) stop(t *testing.T) {
	t.Helper()
	s.cancel()
	if code := <-s.code; code != 0 {
		t.Errorf("the server ended with %d: %s", code, s.log)
	}
}

func TestAServerAndTheCommandsThatTalkToIt(t *testing.T) {
	data, ports := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "ports.json")
	if r := call(t, "token", "alice", "--data", data); r.code != 1 ||
		!strings.Contains(r.err, "no server runs") || !strings.Contains(r.err, "bin/merchantim serve --data "+data) {
		t.Errorf("without a server: %+v", r)
	}

	s := serve(t, data, "--ports-file", ports)
	bound, err := admin.ReadPorts(ports)
	if err != nil || strings.HasSuffix(bound.Admin, ":0") || bound.Listen == "" {
		t.Fatal(bound, err)
	}
	for _, part := range []string{bound.Listen, bound.Admin, "demo --as alice --with bob --data " + data} {
		if !strings.Contains(s.out.String(), part) {
			t.Errorf("the next steps do not tell %q:\n%s", part, s.out)
		}
	}
	if res, err := http.Get("http://" + bound.Admin + "/readyz"); err != nil || res.StatusCode != 200 || res.Body.Close() != nil {
		t.Error(res, err)
	}
	http.DefaultClient.CloseIdleConnections()

	if r := call(t, "token", "alice", "--data", data); r.code != 0 || strings.Count(r.out, ".") != 2 || strings.Count(r.out, "\n") != 1 {
		t.Errorf("one token: %+v", r)
	}
	if r := call(t, "token", "bob", "alice", "--data", data, "--ttl", "1h"); r.code != 0 ||
		!strings.HasPrefix(r.out, "bob\t") || !strings.Contains(r.out, "\nalice\t") {
		t.Errorf("two tokens: %+v", r)
	}
	var answer struct{ Tokens map[string]string }
	r := call(t, "token", "bob", "alice", "--data", data, "--json", "--admin", bound.Admin)
	if err := json.Unmarshal([]byte(r.out), &answer); err != nil || len(answer.Tokens) != 2 {
		t.Errorf("as JSON: %+v, %v", r, err)
	}
	if r := call(t, "token", "a b", "--data", data); r.code != 1 || !strings.Contains(r.err, "users[0]") {
		t.Errorf("a bad user: %+v", r)
	}
	if r := call(t, "doctor", "--data", data); !strings.Contains(r.out, "ready: true") {
		t.Errorf("the doctor does not see the server: %+v", r)
	}
	if r := call(t, "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"); r.code != 1 ||
		!strings.Contains(r.err, "another server runs") {
		t.Errorf("a second server: %+v", r)
	}

	s.stop(t)
	for _, file := range []string{ports, filepath.Join(data, "ports.json")} {
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s stays after a clean stop: %v", file, err)
		}
	}
	serve(t, data).stop(t)
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	data := t.TempDir()
	if err := os.MkdirAll(filepath.Join(data, "keys"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := call(t, "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	if r.code != 1 || !strings.Contains(r.err, "chmod go-rwx") {
		t.Errorf("%+v", r)
	}
}

func TestPrintConfigIsTheEffectiveOne(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(file, []byte("listen: 127.0.0.1:1\nadmin: 127.0.0.1:2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MERCHANTIM_NODE", "7")
	r := call(t, "serve", "--print-config", "--config", file, "--admin", "127.0.0.1:3")
	printed := filepath.Join(dir, "printed.yaml")
	if err := os.WriteFile(printed, []byte(r.out), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(printed, nil)
	if err != nil || c.Listen != "127.0.0.1:1" || c.Admin != "127.0.0.1:3" || c.Node != 7 {
		t.Errorf("%+v, %v, %+v", c, err, r)
	}
}

func TestDoctorsExitCode(t *testing.T) {
	data := t.TempDir()
	if err := os.MkdirAll(filepath.Join(data, "keys"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := call(t, "doctor", "--json", "--data", data)
	var report struct {
		OK       bool
		Findings []struct{ Name, State, Detail string }
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || report.OK || r.code != 1 || r.err != "" {
		t.Errorf("%+v, %v", r, err)
	}
	if r := call(t, "doctor", "--data", data); r.code != 1 || !strings.Contains(r.out, "wrong keys") {
		t.Errorf("%+v", r)
	}
}

func TestMisuseIsToldApart(t *testing.T) {
	for _, args := range [][]string{
		{"serve", "--no-such-flag"}, {"token"}, {"token", "alice", "--ttl", "0s"}, {"token", "alice", "--ttl", "soon"},
		{"doctor", "dead", "list", "--limit", "0"}, {"doctor", "dead", "list", "--after", "7"}, {"doctor", "dead", "show"},
		{"doctor", "dead", "show", "7"}, {"doctor", "dead", "replay", "1-0-7", "1-0-8"},
	} {
		if r := call(t, args...); r.code != 2 || r.err == "" {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if r := call(t, "serve", "--listen", "nowhere"); r.code != 1 || !strings.Contains(r.err, "listen:") {
		t.Errorf("a bad setting: %+v", r)
	}
	if r := call(t, "version"); r.code != 0 || !strings.HasPrefix(r.out, "merchantim ") {
		t.Errorf("%+v", r)
	}
}
