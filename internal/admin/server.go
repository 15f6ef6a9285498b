package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server serves a handler on one address. Whoever starts it calls Shutdown, once.
type Server struct {
	listener net.Listener
	http     http.Server
	done     chan error
}

// Serve listens on addr and serves in a goroutine of its own until Shutdown.
func Serve(addr string, handler http.Handler, log *slog.Logger) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	s := &Server{listener: l, done: make(chan error, 1)}
	s.http = http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second, // pprof extends it for what it was asked
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() { s.done <- s.http.Serve(l) }()
	return s, nil
}

// Addr is the bound address, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Shutdown stops listening, waits for open requests until ctx ends, and cuts
// the connections of those left. The port is free when it returns.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = s.http.Close()
	}
	if serveErr := <-s.done; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}
