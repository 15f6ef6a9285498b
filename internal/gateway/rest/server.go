package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/limit"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/metrics"
	"github.com/merchantim/merchantim/internal/presence"
	"github.com/merchantim/merchantim/internal/usecase"
)

// Options of a Server. All are needed.
type Options struct {
	Node             uint32
	Origins          []string      // of pages that may ask, besides the server's own
	Heartbeat        time.Duration // of the long link
	MaxText          int
	MaxInflight      int           // of the long link
	MaxMessage       int           // of the long link
	MaxRequests      int           // at once, those that poll not counted
	MaxPollers       int           // at once
	MaxPollersOfUser int           // at once, of one user
	BodyTime         time.Duration // that a client may take to send a body
	AnswerTime       time.Duration // a change without an answer by then has an unknown outcome

	// Users are what each may still do, on both links together; Clock is their time.
	Users *limit.Users
	Clock func() int64
	// Presence tells who of some users has a long link.
	Presence func(users []domain.UserID) []presence.State
	// Verify checks a token and returns its user and end.
	Verify func(token string) (domain.UserID, time.Time, error)
	// Welcome makes sure that a user exists who has a good token.
	Welcome func(ctx context.Context, user domain.UserID) error
	Epoch   func() string
	Service *usecase.Service
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

// Server is the short link of this process, an http.Handler.
type Server struct {
	opt    Options
	links  *Links
	router chi.Router
	spec   []byte
	open   atomic.Int64 // requests at work

	stopOnce sync.Once
	stopping chan struct{}
}

// New makes a server. It runs nothing until it is asked.
func New(opt Options) (*Server, error) {
	s := &Server{opt: opt, links: newLinks(&opt), router: chi.NewRouter(), stopping: make(chan struct{})}
	s.router.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		s.refuse(w, domain.Refuse(domain.NotFound, "There is nothing at this path."))
	})
	s.router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(s.methods(r), ", "))
		s.refuse(w, domain.Refuse(unknownType, "This path does not take this method."))
	})
	// The long link stands beside this server; here its path is known, so that
	// other methods than its own are told so.
	s.router.Get("/v1/link", func(w http.ResponseWriter, _ *http.Request) {
		s.refuse(w, domain.Refuse(unknownType, "The long link is opened by GET with an upgrade to WebSocket."))
	})
	api := humachi.New(s.router, description())
	for _, op := range operations() {
		api.OpenAPI().AddOperation(op.describe(api.OpenAPI().Components.Schemas))
		api.Adapter().Handle(&huma.Operation{Method: op.method, Path: op.path}, func(ctx huma.Context) {
			r, w := humachi.Unwrap(ctx)
			s.serve(&op, w, r)
		})
	}
	var err error
	if s.spec, err = api.OpenAPI().MarshalJSON(); err != nil {
		return nil, err
	}
	if err := s.pages(); err != nil {
		return nil, err
	}
	return s, nil
}

// Links are the requests that wait, for the stages.
func (s *Server) Links() *Links { return s.links }

// Spec is the description, OpenAPI 3.1.
func (s *Server) Spec() []byte { return s.spec }

// Stop answers whoever polls, now and from now on at once.
func (s *Server) Stop() { s.stopOnce.Do(func() { close(s.stopping) }) }

// methods lists what the path of a request does take.
func (s *Server) methods(r *http.Request) (all []string) {
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
		if s.router.Match(chi.NewRouteContext(), m, r.URL.Path) {
			all = append(all, m)
		}
	}
	if slices.Contains(all, http.MethodGet) {
		all = append(all, http.MethodHead)
	}
	return all
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.recover(w)
	if s.open.Add(1) > int64(s.opt.MaxRequests) {
		s.open.Add(-1)
		s.refuse(w, &domain.Error{Code: domain.Unavailable, Message: "The server has too many requests.", Retry: time.Second})
		return
	}
	defer s.open.Add(-1)
	// A recorder in a test has no deadlines. One for writing may be left from the
	// request before.
	deadlines := http.NewResponseController(w)
	_ = deadlines.SetReadDeadline(time.Now().Add(s.opt.BodyTime))
	_ = deadlines.SetWriteDeadline(time.Time{})
	if s.crossOrigin(w, r) {
		return
	}
	if r.Method == http.MethodHead { // GET, whose body the server keeps back
		get := *r
		get.Method = http.MethodGet
		r = &get
	}
	s.router.ServeHTTP(w, r)
}

// recover turns a panic into a problem and a line of the log.
func (s *Server) recover(w http.ResponseWriter) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // the server's own way to drop a connection
	}
	s.opt.Log.Error("a handler panicked", "panic", p, "stack", string(debug.Stack()))
	s.refuse(w, domain.Refuse(domain.Internal, "The request failed. The server's log says why."))
}

// serve is the way of every request: who asks, what for, then its handler.
func (s *Server) serve(op *operation, w http.ResponseWriter, r *http.Request) {
	c := &call{Server: s, w: w, r: r}
	if refusal := c.read(op); refusal != nil {
		s.refuseAs(w, refusal, c.status)
		return
	}
	refusal := c.may(op)
	if refusal == nil {
		refusal = op.do(c)
	}
	if refusal != nil {
		s.refuse(w, refusal)
	}
}

// bearer is the token of a request, "" if it has none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || len(token) > wire.MaxToken {
		return ""
	}
	return token
}
