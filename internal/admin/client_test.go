package admin_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/admin"
)

// live starts the house's listener and announces it as a server does.
func (h *house) live(t *testing.T) (*admin.Claim, *admin.Server) {
	t.Helper()
	claim, err := admin.ClaimData(h.data)
	if err != nil {
		t.Fatal(err)
	}
	server, err := admin.Serve("127.0.0.1:0", h.handler, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if err := claim.Announce(admin.Ports{Listen: "127.0.0.1:1", Admin: server.Addr()}); err != nil {
		t.Fatal(err)
	}
	return claim, server
}

func TestALiveServerIsFoundAndAsked(t *testing.T) {
	h := newHouse(t)
	if _, _, err := admin.Find(h.data); !errors.Is(err, admin.ErrNoServer) {
		t.Fatalf("before it starts: %v", err)
	}
	claim, server := h.live(t)

	client, ports, err := admin.Find(h.data)
	if err != nil || ports.Admin != server.Addr() || ports.Listen != "127.0.0.1:1" {
		t.Fatal(ports, err)
	}
	status, err := client.Status(t.Context())
	if diff := cmp.Diff(admin.Status{Version: "v1", StageLag: map[string]int64{"single": 4}}, status); diff != "" || err != nil {
		t.Error(diff, err)
	}
	tokens, err := client.Tokens(t.Context(), []string{"alice"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := h.keys.Verify(tokens["alice"])
	if err != nil || claims.User != "alice" || claims.Expires.Sub(claims.IssuedAt) != admin.DefaultTTL {
		t.Error(claims, err)
	}
	if _, err := client.Tokens(t.Context(), []string{"a b"}, time.Hour); err == nil || !strings.Contains(err.Error(), "users[0]") {
		t.Errorf("the server's reason is lost: %v", err)
	}

	if err := claim.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := admin.Find(h.data); !errors.Is(err, admin.ErrNoServer) {
		t.Errorf("after it stopped: %v", err)
	}
	if _, err := os.Stat(filepath.Join(h.data, "ports.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the announcement stays: %v", err)
	}
}

func TestTwoServersDoNotShareAFolder(t *testing.T) {
	h := newHouse(t)
	claim, _ := h.live(t)
	if _, err := admin.ClaimData(h.data); !errors.Is(err, admin.ErrTaken) {
		t.Errorf("the second server: %v", err)
	}
	if err := claim.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := admin.ClaimData(h.data)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := admin.Find(h.data); !errors.Is(err, admin.ErrStarting) {
		t.Errorf("claimed and not announced: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

// TestAKilledServersPortIsNotTrusted: what a killed server left behind must
// not send the admin key to whoever has its port now.
func TestAKilledServersPortIsNotTrusted(t *testing.T) {
	h := newHouse(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	stale := admin.Ports{Listen: "127.0.0.1:1", Admin: l.Addr().String()}
	for name, write := range map[string]func() error{
		"ports.json": func() error { return stale.Write(filepath.Join(h.data, "ports.json")) },
		"serve.lock": func() error { return os.WriteFile(filepath.Join(h.data, "serve.lock"), nil, 0o600) },
	} {
		if err := write(); err != nil {
			t.Fatal(name, err)
		}
	}
	if _, _, err := admin.Find(h.data); !errors.Is(err, admin.ErrNoServer) {
		t.Errorf("found %v", err)
	}
	claim, err := admin.ClaimData(h.data) // the next server, before it listens
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := admin.Find(h.data); !errors.Is(err, admin.ErrStarting) {
		t.Errorf("found %v", err)
	}
	if err := claim.Close(); err != nil {
		t.Error(err)
	}
}

func TestAStrangerAtThePortIsSaidSo(t *testing.T) {
	server, err := admin.Serve("127.0.0.1:0", http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	client := admin.NewClient(server.Addr(), "key")
	if _, err := client.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "no merchantim") {
		t.Error(err)
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := client.Status(t.Context()); err == nil {
		t.Error("a server that is gone answers")
	}
}

func TestPortsAreWrittenWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ports.json")
	for _, want := range []admin.Ports{{Listen: "a:1", Admin: "b:2"}, {Listen: "c:3"}} {
		if err := want.Write(path); err != nil {
			t.Fatal(err)
		}
		if got, err := admin.ReadPorts(path); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.ReadPorts(path); err == nil {
		t.Error("half a file was taken")
	}
	if err := (admin.Ports{}).Write(filepath.Join(t.TempDir(), "no", "folder")); err == nil {
		t.Error("written into nowhere")
	}
}
