// Package app is the composition root: it builds a server from its settings,
// in the order in which the parts depend on each other, runs it, and takes it
// down in the reverse order. Read Open from top to bottom to see what there is.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/auth"
	"github.com/merchantim/merchantim/internal/gateway/limit"
	"github.com/merchantim/merchantim/internal/gateway/rest"
	"github.com/merchantim/merchantim/internal/gateway/ws"
	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/metrics"
	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/presence"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/usecase"
	"github.com/merchantim/merchantim/internal/vfs"
)

// App is one server.
type App struct {
	cfg     config.Config
	log     *slog.Logger
	started time.Time
	ready   chan struct{}

	kv      kv.Store
	stream  stream.Log
	store   *store.Store
	recents hot.Recents
	writer  *store.Writer
	accept  *pipeline.Accept
	service *usecase.Service
	stages  *pipeline.Stages
	users   *limit.Users
	online  *presence.Board
	hub     *ws.Hub
	short   *rest.Server
	metrics *metrics.Metrics

	listener *limit.Gate
	links    *http.Server
	admin    *admin.Server
}

// Option changes what a server is built of; for tests and fault injection.
type Option func(*parts)

type parts struct {
	fs         vfs.FS
	wrapLog    func(stream.Log) stream.Log
	wrapKV     func(kv.Store) kv.Store
	wrapRecent func(hot.Recents) hot.Recents
	wrapUse    func(ws.Service) ws.Service
}

// WithFS puts all data on another file system.
func WithFS(fs vfs.FS) Option { return func(p *parts) { p.fs = fs } }

// WrapLog decorates the log.
func WrapLog(wrap func(stream.Log) stream.Log) Option { return func(p *parts) { p.wrapLog = wrap } }

// WrapKV decorates the key-value store.
func WrapKV(wrap func(kv.Store) kv.Store) Option { return func(p *parts) { p.wrapKV = wrap } }

// WrapHot decorates the hot state.
func WrapHot(wrap func(hot.Recents) hot.Recents) Option {
	return func(p *parts) { p.wrapRecent = wrap }
}

// WrapService decorates the use-cases that the long link calls.
func WrapService(wrap func(ws.Service) ws.Service) Option {
	return func(p *parts) { p.wrapUse = wrap }
}

// Open builds a server and binds its addresses. It answers nobody before Run.
func Open(cfg config.Config, log *slog.Logger, opts ...Option) (_ *App, err error) {
	p := parts{fs: vfs.OS()}
	for _, opt := range opts {
		opt(&p)
	}
	a := &App{cfg: cfg, log: log, started: time.Now(), ready: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("app: %w", err), a.close())
		}
	}()
	if err := os.MkdirAll(cfg.Data, 0o750); err != nil {
		return nil, err
	}
	keys, err := auth.Open(cfg.Data, time.Now)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	a.metrics = metrics.New(registry)
	if err := a.openEngines(&p); err != nil {
		return nil, err
	}
	a.buildPipeline()
	if err := a.listen(); err != nil {
		return nil, err
	}
	if err := a.buildLinks(keys, &p); err != nil {
		return nil, err
	}
	a.watch()
	a.admin, err = admin.Serve(cfg.Admin, admin.New(admin.Options{
		Keys: keys, Users: users{a.store.Users}, Dead: a.service, Gatherer: registry,
		Ready: a.check, Status: a.status, Log: log,
	}), log)
	return a, err
}

func (a *App) buildPipeline() {
	cfg := &a.cfg
	a.writer = store.NewWriter(a.store, store.WriterOptions{
		FlushInterval: cfg.Store.FlushInterval, FlushBytes: int64(cfg.Store.FlushBytes),
		CheckpointInterval: cfg.Store.CheckpointInterval,
		Durable:            func(ctx context.Context) error { return pipeline.Durable(ctx, a.stream) },
		Observe:            func(d time.Duration) { a.metrics.FlushSeconds.Observe(d.Seconds()) },
		Log:                a.log,
	})
	a.accept = pipeline.NewAccept(a.stream)
}

// Addr is the address of both links.
func (a *App) Addr() string { return a.listener.Addr().String() }

// AdminAddr is the address of the admin listener.
func (a *App) AdminAddr() string { return a.admin.Addr() }

// Ready is closed once the server has caught up with its log and takes clients.
func (a *App) Ready() <-chan struct{} { return a.ready }

// stopTime bounds each part of a graceful stop.
const stopTime = 10 * time.Second

// Run serves until ctx ends, then stops gracefully: no new clients, those there
// are sent away to reconnect, what is in the log is worked off and written. It
// returns nil after such a stop, and an error when the server cannot go on: a
// log that cannot sync can no longer promise anything.
func (a *App) Run(ctx context.Context) error {
	// Three lives, ended one after the other.
	work, endWork := context.WithCancel(context.WithoutCancel(ctx))
	write, endWrite := context.WithCancel(context.WithoutCancel(ctx))
	defer endWork()
	defer endWrite()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var stages, writer, links errgroup.Group
	guard := func(g *errgroup.Group, fn func() error) {
		g.Go(func() error {
			err := fn()
			if err != nil {
				fail(err)
			}
			return err
		})
	}
	guard(&writer, func() error { return a.writer.Run(write) })
	caughtUp := func() {
		close(a.ready)
		a.writer.CheckpointSoon() // a server that is killed often must not replay the same log each time
	}
	guard(&stages, func() error { return a.stages.Run(work, caughtUp) })
	guard(&stages, func() error { a.accept.Watch(work, maxLag, a.full); return nil })
	guard(&stages, func() error { return a.failure(work) })
	guard(&links, func() error { return a.serve(ctx) })

	<-ctx.Done()
	cause := context.Cause(ctx)
	if errors.Is(cause, context.Canceled) {
		cause = nil
	}
	a.log.Info("stopping", "cause", cause)
	err := a.stopLinks(&links)
	if cause == nil {
		a.drain(work)
	}
	endWork()
	err = errors.Join(err, stages.Wait())
	endWrite()
	err = errors.Join(err, writer.Wait(), a.close())
	if cause != nil {
		return cause
	}
	return err
}

// Serve is Run that calls announce once the server takes clients. If announce
// fails, the server stops.
func (a *App) Serve(ctx context.Context, announce func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-a.Ready():
	}
	if err := announce(); err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	return <-ended
}

// failure waits for the log to fail.
func (a *App) failure(ctx context.Context) error {
	select {
	case <-a.stream.Failed():
		return a.stream.Err()
	case <-ctx.Done():
		return nil
	}
}

func (a *App) serve(ctx context.Context) error {
	select {
	case <-a.ready:
	case <-ctx.Done():
		return nil
	}
	if err := a.links.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (a *App) stopLinks(links *errgroup.Group) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	a.short.Stop() // who polls is answered, and asks the next server
	away := make(chan struct{})
	go func() { defer close(away); a.hub.Close(ctx) }()
	err := a.links.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = a.links.Close() // whoever has not finished asking is no client yet
	}
	_ = a.listener.Close() // closed by Shutdown unless Serve never began
	<-away
	return errors.Join(err, links.Wait())
}

// drain waits until the stages have worked off the log, within bounds.
func (a *App) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	for quiet := 0; quiet < 2; {
		lag := a.stream.Stats().PendingBytes
		for _, n := range a.stream.Stats().Lag {
			lag += n
		}
		if quiet++; lag > 0 {
			quiet = 0
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}

// close releases what Open took, as far as it came.
func (a *App) close() error {
	var errs []error
	if a.hub != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		a.hub.Close(ctx)
		cancel()
	}
	if a.online != nil {
		a.online.Close()
		a.online = nil
	}
	if a.admin != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		errs = append(errs, a.admin.Shutdown(ctx))
		cancel()
		a.admin = nil
	}
	if a.listener != nil {
		_ = a.listener.Close()
	}
	if a.stream != nil {
		errs = append(errs, a.stream.Close())
	}
	if a.kv != nil {
		errs = append(errs, a.kv.Close())
	}
	return errors.Join(errs...)
}

// path is a folder of the data.
func (a *App) path(name string) string { return filepath.Join(a.cfg.Data, name) }
