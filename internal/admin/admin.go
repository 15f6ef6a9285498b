// Package admin is the listener for those who run a server: health, metrics,
// profiles, status, tokens and dead letters; and the client and the notice file by which the
// other commands find it.
//
// Health and metrics are open to whoever reaches the listener, which by default
// is the machine itself. Everything under /admin and /debug wants the admin key
// (auth.AdminKey) as a bearer token. Every answer that is not 2xx is an RFC
// 9457 problem. Nobody's messages are to be had here.
package admin

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Keys make tokens and know the admin key (auth.Keys does).
type Keys interface {
	Mint(user string, ttl time.Duration) (string, error)
	IsAdmin(key string) bool
}

// Users are made so that others can open a conversation with them before they
// have signed in.
type Users interface {
	// Ensure makes those users that do not exist yet. Ids are valid and
	// without repetition, at most MaxUsers.
	Ensure(ctx context.Context, users []string) error
}

// Status is what a live server says of itself.
type Status struct {
	Version       string           `json:"version"`
	PID           int              `json:"pid"`
	Node          uint32           `json:"node"`
	Data          string           `json:"data"`
	Ready         bool             `json:"ready"`
	UptimeSeconds float64          `json:"uptime_seconds"`
	Connections   int64            `json:"connections"`
	StageLag      map[string]int64 `json:"stage_lag"`
}

// Options are what the listener shows. All are needed.
type Options struct {
	Keys     Keys
	Users    Users
	Dead     Dead
	Gatherer prometheus.Gatherer
	// Ready returns why the server cannot take messages now, or nil.
	Ready  func() error
	Status func() Status
	Log    *slog.Logger
}

type api struct{ Options }

// New returns the listener's handler.
func New(o Options) http.Handler {
	a := api{o}
	r := chi.NewRouter()
	r.Use(requestID(o.Log), recoverer)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, http.StatusNotFound, "There is nothing at this path.")
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, http.StatusMethodNotAllowed, "This path does not take "+r.Method+".")
	})
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { reply(w, map[string]bool{"alive": true}) })
	r.Get("/readyz", a.ready)
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{}))
	r.Group(func(r chi.Router) {
		r.Use(a.adminOnly)
		r.Get("/admin/status", func(w http.ResponseWriter, _ *http.Request) { reply(w, a.Status()) })
		r.Post("/admin/tokens", a.tokens)
		r.Get("/admin/dead", a.letters)
		r.Get("/admin/dead/{id}", a.letter)
		r.Post("/admin/dead/{id}/replay", a.replay)
		r.Get("/debug/pprof/*", pprof.Index)
		r.Get("/debug/pprof/cmdline", pprof.Cmdline)
		r.Get("/debug/pprof/profile", pprof.Profile)
		r.Get("/debug/pprof/trace", pprof.Trace)
	})
	return r
}

// ready is 503 with the reason while the server cannot take messages.
func (a api) ready(w http.ResponseWriter, r *http.Request) {
	if err := a.Ready(); err != nil {
		logger(r).Debug("not ready", "error", err)
		fail(w, r, http.StatusServiceUnavailable, "Not ready: "+err.Error())
		return
	}
	reply(w, map[string]bool{"ready": true})
}

func (a api) adminOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !found || !a.Keys.IsAdmin(key) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="merchantim admin"`)
			fail(w, r, http.StatusUnauthorized, "This needs the admin key of the server's data folder.")
			return
		}
		next.ServeHTTP(w, r)
	})
}
