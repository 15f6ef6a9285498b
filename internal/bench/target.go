package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startLimit = 30 * time.Second // until a child is ready
	stopLimit  = 30 * time.Second // after SIGTERM
	// tokensAtOnce is the most users that the server takes in one call.
	tokensAtOnce = 10_000
	tailBytes    = 4 << 10
)

// target is a child process under load: the server, or the echo server, which
// is started and asked in the same way.
type target struct {
	echo   bool
	listen string // address of the long link
	admin  string // address of the admin listener
	key    string // admin key

	dir    string
	binary string
	args   []string
	cmd    *exec.Cmd
	output *tail
	exited chan struct{} // closed once the process has ended and err is set
	err    error
	http   *http.Client
}

// start runs `binary args… --data DIR …` on a fresh folder below root and waits
// until it is ready. The caller must stop it.
func start(ctx context.Context, root, binary string, args []string, echo bool) (*target, error) {
	dir, err := os.MkdirTemp(root, "run-")
	if err != nil {
		return nil, harness("a folder for the server: %w", err)
	}
	t := &target{
		echo: echo, dir: dir, output: &tail{}, exited: make(chan struct{}),
		http: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}},
	}
	t.binary = binary
	t.args = append(args[:len(args):len(args)], "--data", filepath.Join(dir, "data"),
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ports-file", t.ports())
	if err := t.boot(ctx); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return t, nil
}

func (t *target) ports() string { return filepath.Join(t.dir, "ports.json") }

// boot starts the process on what its folder holds.
func (t *target) boot(ctx context.Context) error {
	t.cmd = exec.Command(t.binary, t.args...)
	t.cmd.Stdout, t.cmd.Stderr = t.output, t.output
	dieWithParent(t.cmd)
	if err := t.launch(); err != nil {
		return harness("starting %s: %w", t.binary, err)
	}
	if err := t.await(ctx, t.ports()); err != nil {
		_ = t.end()
		return harness("%s %s: %w; it said: %s", filepath.Base(t.binary), t.args[0], err, t.output)
	}
	return nil
}

// restart ends the process gracefully and starts it again on the same data, on
// other ports. No link may be open.
func (t *target) restart(ctx context.Context) error {
	if err := t.end(); err != nil {
		return err
	}
	if err := os.Remove(t.ports()); err != nil && !os.IsNotExist(err) {
		return harness("%w", err)
	}
	t.exited = make(chan struct{})
	return t.boot(ctx)
}

// launch starts the process and a goroutine that ends with it. The goroutine
// keeps the thread that started the child: dieWithParent needs it to live.
func (t *target) launch() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := t.cmd.Start()
		started <- err
		if err == nil {
			t.err = t.cmd.Wait()
			close(t.exited)
		}
	}()
	return <-started
}

// await waits until the child has written its ports and says that it is ready.
func (t *target) await(ctx context.Context, ports string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		ready, err := t.ready(ctx, ports)
		if err != nil || ready {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		case <-t.exited:
			return fmt.Errorf("ended while starting: %v", t.err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// ready takes one look.
func (t *target) ready(ctx context.Context, ports string) (bool, error) {
	b, err := os.ReadFile(ports)
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var at struct{ Listen, Admin string }
	if err := json.Unmarshal(b, &at); err != nil {
		return false, fmt.Errorf("%s: %w", ports, err)
	}
	key, err := os.ReadFile(filepath.Join(t.dir, "data", "keys", "admin.key"))
	if err != nil {
		return false, err
	}
	t.listen, t.admin, t.key = at.Listen, at.Admin, strings.TrimSpace(string(key))
	resp, err := t.get(ctx, "/readyz")
	if err != nil {
		return false, nil //nolint:nilerr // the listener may not be up yet; await has a limit
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK, nil
}

func (t *target) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.admin+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+t.key)
	return t.http.Do(req)
}

// tokens creates users and returns a token for each.
func (t *target) tokens(ctx context.Context, users []string) (map[string]string, error) {
	all := make(map[string]string, len(users))
	for len(users) > 0 {
		some := users[:min(len(users), tokensAtOnce)]
		users = users[len(some):]
		body, err := json.Marshal(map[string]any{"users": some, "ttl": "24h"})
		if err != nil {
			return nil, harness("%w", err)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+t.admin+"/admin/tokens", bytes.NewReader(body))
		if err != nil {
			return nil, harness("%w", err)
		}
		req.Header.Set("Authorization", "Bearer "+t.key)
		req.Header.Set("Content-Type", "application/json")
		if err := t.takeTokens(req, all); err != nil {
			return nil, harness("tokens: %w", err)
		}
		for _, u := range some {
			if token := all[u]; token == "" || strings.ContainsAny(token, "\"\\\n") {
				return nil, harness("tokens: %s got %q", u, token)
			}
		}
	}
	return all, nil
}

func (t *target) takeTokens(req *http.Request, into map[string]string) error {
	resp, err := t.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
		return fmt.Errorf("%s: %s", resp.Status, b)
	}
	answer := struct {
		Tokens map[string]string `json:"tokens"`
	}{Tokens: into}
	return json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(&answer)
}

// backlog asks what the server still has to do.
func (t *target) backlog(ctx context.Context) (backlog, error) {
	resp, err := t.get(ctx, "/metrics")
	if err != nil {
		return backlog{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return backlog{}, fmt.Errorf("/metrics: %s", resp.Status)
	}
	return parseBacklog(io.LimitReader(resp.Body, 16<<20))
}

// profile writes a CPU profile of the next d to a file. It costs the server a
// little of what it measures, so figures of such a window are for reading only.
func (t *target) profile(ctx context.Context, path string, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d+stopLimit)
	defer cancel()
	return t.save(ctx, path, fmt.Sprintf("profile?seconds=%d", max(int(d/time.Second), 1)))
}

// save writes one of the server's profiles to a file.
func (t *target) save(ctx context.Context, path, which string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.admin+"/debug/pprof/"+which, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+t.key)
	resp, err := (&http.Client{Transport: t.http.Transport}).Do(req) // without the short limit of t.http
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s", resp.Status)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.LimitReader(resp.Body, 256<<20))
	return errors.Join(err, f.Close())
}

// stop ends the process gracefully and removes its folder.
func (t *target) stop() error {
	defer func() { _ = os.RemoveAll(t.dir) }()
	return t.end()
}

// end ends the process gracefully.
func (t *target) end() error {
	t.http.CloseIdleConnections()
	_ = t.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-t.exited:
		if t.err != nil {
			return product("the server ended with %w; it said: %s", t.err, t.output)
		}
		return nil
	case <-time.After(stopLimit):
		_ = t.cmd.Process.Kill()
		<-t.exited
		return product("the server did not end within %v of SIGTERM", stopLimit)
	}
}

// tail keeps the last bytes written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - tailBytes; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}
