// Package e2e tells stories about the whole server: built by its composition
// root, on a folder of its own, spoken to over real sockets.
package e2e

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/app"
	"github.com/merchantim/merchantim/internal/auth"
)

func TestMain(m *testing.M) {
	if data := os.Getenv(childData); data != "" {
		os.Exit(beChild(data))
	}
	if order := os.Getenv(childFlood); order != "" {
		os.Exit(beFlood(order))
	}
	// The engine's own; it ends some time after its store was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// patience is how long a story waits for anything before it fails.
const patience = 30 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// server is one run of a server.
type server struct {
	*app.App
	t     *testing.T
	cfg   config.Config
	stop  context.CancelFunc
	ended chan error
	links []*link
}

// settings are the shipped ones on a folder of the test's own.
func settings(data string) config.Config {
	cfg := config.Default()
	cfg.Data, cfg.Listen, cfg.Admin = data, "127.0.0.1:0", "127.0.0.1:0"
	cfg.Journal.SegmentBytes = 4 * config.MiB
	cfg.Store.FlushInterval, cfg.Store.CheckpointInterval = 50*time.Millisecond, 200*time.Millisecond
	return cfg
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// serve starts a server on a new folder; the test's end stops it.
func serve(t *testing.T, change ...func(*config.Config)) *server {
	t.Helper()
	cfg := settings(t.TempDir())
	for _, c := range change {
		c(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return run(t, cfg)
}

func run(t *testing.T, cfg config.Config, opts ...app.Option) *server {
	t.Helper()
	a, err := app.Open(cfg, quiet(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &server{App: a, t: t, cfg: cfg, stop: stop, ended: make(chan error, 1)}
	go func() { s.ended <- a.Run(ctx) }()
	t.Cleanup(func() { _ = s.end() })
	select {
	case <-a.Ready():
	case err := <-s.ended:
		s.ended <- err
		t.Fatalf("the server ended before it was ready: %v", err)
	case <-time.After(patience):
		t.Fatal("the server does not get ready")
	}
	return s
}

// end stops the server gracefully, once, and returns what Run returned.
func (s *server) end() error {
	s.stop()
	err := <-s.ended
	s.ended <- err
	return err
}

// dial connects without a word.
func (s *server) dial() *link {
	s.t.Helper()
	l := dial(s.t, s.Addr())
	s.links = append(s.links, l)
	return l
}

// again stops the server and starts the next one on its folder.
func (s *server) again() *server {
	s.t.Helper()
	for _, l := range s.links { // nobody reads them: the server would wait for their goodbyes
		_ = l.ws.CloseNow() // it may have ended
	}
	if err := s.end(); err != nil {
		s.t.Fatalf("the server did not stop gracefully: %v", err)
	}
	return run(s.t, s.cfg)
}

// token signs a user in as the server's own command would.
func (s *server) token(user string) string { return tokenFor(s.t, s.cfg.Data, user, time.Hour) }

func tokenFor(t *testing.T, data, user string, ttl time.Duration) string {
	t.Helper()
	keys, err := auth.Open(data, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	token, err := keys.Mint(user, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (s *server) status() admin.Status {
	s.t.Helper()
	key, err := auth.AdminKey(s.cfg.Data)
	if err != nil {
		s.t.Fatal(err)
	}
	status, err := admin.NewClient(s.AdminAddr(), key).Status(within(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	return status
}
