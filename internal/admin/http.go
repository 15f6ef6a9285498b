package admin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
)

// problem is an error as RFC 9457 has it. Instance is the request's id, which
// the server's log has too.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance,omitempty"`
}

const requestIDHeader = "X-Request-Id"

// fail answers with a problem.
func fail(w http.ResponseWriter, r *http.Request, status int, detail string) {
	id := w.Header().Get(requestIDHeader)
	logger(r).Debug("refused", "status", status, "detail", detail)
	write(w, status, "application/problem+json", problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Instance: id,
	})
}

// reply answers 200 with a value.
func reply(w http.ResponseWriter, value any) { write(w, http.StatusOK, "application/json", value) }

func write(w http.ResponseWriter, status int, kind string, value any) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // a caller that is gone hears nothing
}

type loggerKey struct{}

// logger is the request's own: it carries its id.
func logger(r *http.Request) *slog.Logger {
	if l, ok := r.Context().Value(loggerKey{}).(*slog.Logger); ok {
		return l
	}
	return slog.New(slog.DiscardHandler)
}

var goodID = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,64}$`)

// requestID takes the caller's request id, if it is one, or makes one, and
// gives it to the answer and to every line of the log.
func requestID(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := r.Header.Get(requestIDHeader)
			if !goodID.MatchString(id) {
				id = rand.Text()
			}
			w.Header().Set(requestIDHeader, id)
			l := log.With("request", id, "method", r.Method, "path", r.URL.Path)
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), loggerKey{}, l)))
		})
	}
}

// recoverer turns a panic of a handler into a problem and a line of the log.
func recoverer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // the server's own way to drop a connection
			}
			logger(r).Error("a handler panicked", "panic", p, "stack", string(debug.Stack()))
			fail(w, r, http.StatusInternalServerError, "The request failed. The server's log says why.")
		}()
		next.ServeHTTP(w, r)
	})
}
