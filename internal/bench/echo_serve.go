package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// echoOptions are the flags of the echo server, the ones of `merchantim serve`.
type echoOptions struct {
	data, listen, admin, portsFile string
}

// serveEcho runs the echo server until ctx ends. It has the same outside as
// the real one: ports file, admin key, tokens, metrics.
func serveEcho(ctx context.Context, o echoOptions) error {
	const key = "echo" // it guards nothing: a child process that keeps nothing, on loopback
	keys := filepath.Join(o.data, "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	if err := os.WriteFile(filepath.Join(keys, "admin.key"), []byte(key), 0o600); err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	link, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	admin, err := net.Listen("tcp", o.admin)
	if err != nil {
		return errors.Join(fmt.Errorf("echo: %w", err), link.Close())
	}
	links := http.NewServeMux()
	links.Handle("GET /v1/link", newEchoServer())
	servers := []*http.Server{
		{Handler: links, ReadHeaderTimeout: 10 * time.Second},
		{Handler: echoAdmin(), ReadHeaderTimeout: 10 * time.Second},
	}
	failed := make(chan error, len(servers))
	for i, l := range []net.Listener{link, admin} {
		go func() { failed <- servers[i].Serve(l) }()
	}
	err = writePorts(o.portsFile, link.Addr().String(), admin.Addr().String())
	if err == nil {
		select {
		case <-ctx.Done():
		case end := <-failed:
			failed <- end // it is counted below
		}
	}
	for _, s := range servers {
		err = errors.Join(err, s.Close())
	}
	for range servers {
		if end := <-failed; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
	}
	return err
}

// writePorts writes the ports file atomically.
func writePorts(path, listen, admin string) error {
	b, err := json.Marshal(map[string]string{"listen": listen, "admin": admin})
	if err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	if err := os.WriteFile(path+".tmp", b, 0o600); err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	return nil
}

// echoAdmin is the admin listener: a token is the user's name, and there is
// never anything left to do.
func echoAdmin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, lagMetric+"{stage=\"echo\"} 0\n"+pendingMetric+" 0\n")
	})
	mux.HandleFunc("POST /admin/tokens", func(w http.ResponseWriter, r *http.Request) {
		var ask struct {
			Users []string `json:"users"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<20)).Decode(&ask); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		tokens := make(map[string]string, len(ask.Users))
		for _, u := range ask.Users {
			tokens[u] = u
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"tokens": tokens})
	})
	return mux
}
