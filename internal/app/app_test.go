package app

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/auth"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/vfs"
)

func TestMain(m *testing.M) {
	// The engine's own; it ends some time after its store was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func settings(t *testing.T) config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.Listen, cfg.Admin = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	cfg.Journal.SegmentBytes = 4 * config.MiB
	return cfg
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// start runs a server until the test ends; what Run returned comes from the channel.
func start(t *testing.T, cfg config.Config, opts ...Option) (*App, <-chan error) {
	t.Helper()
	a, err := Open(cfg, quiet, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		ended <- a.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-done })
	select {
	case <-a.Ready():
	case <-done:
		t.Fatal("the server ended before it was ready")
	case <-within(t).Done():
		t.Fatal("the server does not get ready")
	}
	return a, ended
}

// link is a bare connection of alice, after her welcome.
type link struct {
	t  *testing.T
	ws *websocket.Conn
}

func enter(t *testing.T, a *App, user string) link {
	t.Helper()
	keys, err := auth.Open(a.cfg.Data, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	token, err := keys.Mint(user, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	ws, _, err := websocket.Dial(within(t), "ws://"+a.Addr()+"/v1/link", &websocket.DialOptions{
		Subprotocols: []string{wire.Subprotocol},
		HTTPClient:   &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() }) // it may have ended
	l := link{t, ws}
	if f, err := l.ask(wire.AppendHello(nil, "h", token, "d")); err != nil || f.Type != "welcome" {
		t.Fatalf("hello: %+v, %v", f, err)
	}
	return l
}

// ask returns the answer to a request: what is pushed may come before it.
func (l link) ask(frame []byte) (*wire.Received, error) {
	l.t.Helper()
	if err := l.ws.Write(within(l.t), websocket.MessageText, frame); err != nil {
		return nil, err
	}
	for {
		_, message, err := l.ws.Read(within(l.t))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(message)) {
			f, err := wire.Receive([]byte(strings.TrimSuffix(line, "\n")))
			if err != nil || f.Type != "own" && f.Type != "msg" {
				return f, err
			}
		}
	}
}

func (l link) open(with string) string {
	l.t.Helper()
	f, err := l.ask(wire.AppendOpen(nil, "o", with))
	if err != nil || f.Type != "opened" {
		l.t.Fatalf("open: %+v, %v", f, err)
	}
	return f.Conversation
}

func readyz(t *testing.T, a *App) int {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, "http://"+a.AdminAddr()+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// ofLog reports whether a file is the log's.
func ofLog(name string) bool { return strings.Contains(name, "/log/") }

// A sync that failed is final: nothing is answered any more, the server ends
// with the error, and what it had answered is there afterwards.
func TestAFailedSyncEndsTheServer(t *testing.T) {
	cfg := settings(t)
	var broken atomic.Bool
	disk := vfs.Faulty(vfs.OS(), func(op vfs.Op) (f vfs.Fault) {
		if broken.Load() && op.Kind == vfs.OpSync && ofLog(op.Name) {
			f.Err = syscall.EIO
		}
		return f
	})
	a, ended := start(t, cfg, WithFS(disk))
	if code := readyz(t, a); code != http.StatusOK {
		t.Errorf("readyz %d", code)
	}
	_ = enter(t, a, "bob").ws.CloseNow() // he exists now, and that is enough
	alice := enter(t, a, "alice")
	id := alice.open("bob")
	if f, err := alice.ask(wire.AppendSend(nil, "1", id, "k1", "", "kept")); err != nil || f.Type != "sent" {
		t.Fatalf("%+v, %v", f, err)
	}
	broken.Store(true)
	f, err := alice.ask(wire.AppendSend(nil, "2", id, "k2", "", "in doubt"))
	if err == nil && f.Code != wire.CodeUnavailable {
		t.Errorf("answered with %+v", f)
	}
	for err == nil { // to the goodbye
		_, _, err = alice.ws.Read(within(t))
	}
	select {
	case err := <-ended:
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("Run returned %v", err)
		}
	case <-within(t).Done():
		t.Fatal("the server goes on")
	}
	if a.check() == nil {
		t.Error("the server still calls itself ready")
	}
	next, _ := start(t, cfg)
	alice = enter(t, next, "alice")
	f, err = alice.ask(wire.AppendSend(nil, "3", id, "k1", "", "kept"))
	if err != nil || f.Type != "sent" || f.Index != 1 {
		t.Errorf("after the restart: %+v, %v", f, err)
	}
}

// A full disk refuses with a retryable code or ends the server; it never
// answers what it did not keep.
func TestAFullDiskIsNoLie(t *testing.T) {
	cfg := settings(t)
	var full atomic.Bool
	disk := vfs.Faulty(vfs.OS(), func(op vfs.Op) (f vfs.Fault) {
		if full.Load() && (op.Kind == vfs.OpWrite || op.Kind == vfs.OpPreallocate || op.Kind == vfs.OpCreate) {
			f = vfs.Fault{Effect: vfs.Nothing, Err: syscall.ENOSPC}
		}
		return f
	})
	a, _ := start(t, cfg, WithFS(disk))
	_ = enter(t, a, "bob").ws.CloseNow() // he exists now, and that is enough
	alice := enter(t, a, "alice")
	id := alice.open("bob")
	full.Store(true)
	f, err := alice.ask(wire.AppendSend(nil, "1", id, "k1", "", "no room"))
	switch {
	case err != nil:
		if code := websocket.CloseStatus(err); code != wire.CloseUnavailable && code != wire.CloseGoingAway {
			t.Errorf("closed with %v", err)
		}
	case f.Type != "error" || !f.Retry:
		t.Errorf("answered with %+v", f)
	}
	full.Store(false)
}

func TestASecondServerOnTheSameDataIsRefused(t *testing.T) {
	cfg := settings(t)
	start(t, cfg)
	_, err := Open(cfg, quiet)
	if !errors.Is(err, vfs.ErrLocked) || !strings.Contains(err.Error(), cfg.Data) {
		t.Errorf("a second server: %v", err)
	}
}

func TestAddressesInUseAreNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // closing once more does no harm
	for _, change := range []func(*config.Config){
		func(c *config.Config) { c.Listen = taken.Addr().String() },
		func(c *config.Config) { c.Admin = taken.Addr().String() },
	} {
		cfg := settings(t)
		change(&cfg)
		_, err := Open(cfg, quiet)
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), taken.Addr().String()) {
			t.Errorf("an address in use: %v", err)
		}
		cfg.Listen, cfg.Admin = "127.0.0.1:0", "127.0.0.1:0"
		start(t, cfg) // nothing was left held
	}
}

// Whatever step of Open fails, everything taken before is released: no
// goroutine is left (see TestMain) and the folder can be opened again.
func TestOpenReleasesWhatItTook(t *testing.T) {
	var count atomic.Int64
	failing := func(at int64) vfs.FS {
		return vfs.Faulty(vfs.OS(), func(op vfs.Op) (f vfs.Fault) {
			count.Store(op.N + 1) // near enough
			if op.N == at {
				f = vfs.Fault{Effect: vfs.Nothing, Err: syscall.EIO}
			}
			return f
		})
	}
	a, err := Open(settings(t), quiet, WithFS(failing(-1)))
	if err != nil {
		t.Fatal(err)
	}
	steps := count.Load() // what Open takes when nothing fails
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for at := int64(0); at < steps; at += max(1, steps/12) {
		cfg := settings(t)
		a, err := Open(cfg, quiet, WithFS(failing(at)))
		if err == nil { // done without it, or tried again
			_ = a.close() // the disk may fail here
		} else {
			refused++
		}
		if a, err = Open(cfg, quiet); err != nil {
			t.Fatalf("after operation %d had failed: %v", at, err)
		}
		if err := a.close(); err != nil {
			t.Errorf("closing after operation %d had failed: %v", at, err)
		}
	}
	if refused == 0 {
		t.Error("no failure was noticed")
	}
	t.Logf("%d operations, %d refusals", steps, refused)
}

func TestABadFolderIsNamed(t *testing.T) {
	cfg := settings(t)
	file := filepath.Join(cfg.Data, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Data = filepath.Join(file, "data")
	if _, err := Open(cfg, quiet); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), file) {
		t.Errorf("a folder below a file: %v", err)
	}
}
