package rest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newServer(t *testing.T, change func(*Options)) *Server {
	t.Helper()
	opt := Options{
		Node: 1, MaxRequests: 2, MaxPollers: 2, MaxPollersOfUser: 1, BodyTime: time.Minute, AnswerTime: 10 * time.Millisecond,
		Verify: func(token string) (domain.UserID, time.Time, error) {
			return domain.UserID(token), time.Now().Add(time.Hour), nil
		},
		Welcome: func(context.Context, domain.UserID) error { return nil },
		Metrics: metrics.New(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler),
	}
	change(&opt)
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// problemFrom asks for heads and returns the problem.
func problemFrom(t *testing.T, s *Server) (*httptest.ResponseRecorder, problem) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/heads", nil))
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return w, p
}

func TestRequestsAtOnceAreBounded(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := newServer(t, func(o *Options) {
		o.Verify = func(string) (domain.UserID, time.Time, error) {
			entered <- struct{}{}
			<-leave
			return "", time.Time{}, errors.New("no")
		}
	})
	ended := make(chan struct{}, 2)
	for range 2 {
		go func() {
			s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v1/heads", nil))
			ended <- struct{}{}
		}()
		<-entered
	}
	w, p := problemFrom(t, s)
	if w.Code != http.StatusServiceUnavailable || p.Code != "unavailable" || !p.Retry || w.Header().Get("Retry-After") != "1" {
		t.Errorf("one too many: %d %+v %v", w.Code, p, w.Header())
	}
	close(leave)
	<-ended
	<-ended
	go func() { <-entered }()
	if w, p := problemFrom(t, s); w.Code != http.StatusUnauthorized || p.Code != "unauthenticated" {
		t.Errorf("the place is not given again: %d %+v", w.Code, p)
	}
}

func TestAPanicIsAProblem(t *testing.T) {
	s := newServer(t, func(o *Options) {
		o.Verify = func(string) (domain.UserID, time.Time, error) { panic("secret") }
	})
	for range 3 { // no place is lost
		if w, p := problemFrom(t, s); w.Code != http.StatusInternalServerError || p.Code != "internal" || strings.Contains(p.Detail, "secret") {
			t.Errorf("%d %+v", w.Code, p)
		}
	}
}

func TestAStoreThatFailsWelcomesNobody(t *testing.T) {
	s := newServer(t, func(o *Options) {
		o.Welcome = func(context.Context, domain.UserID) error { return errors.New("disk") }
	})
	if w, p := problemFrom(t, s); w.Code != http.StatusServiceUnavailable || p.Code != "unavailable" || strings.Contains(p.Detail, "disk") {
		t.Errorf("%d %+v", w.Code, p)
	}
}

// What is not answered has an unknown outcome, whatever the reason, and leaves
// no waiter behind.
func TestAChangeWithoutAnAnswerIsInDoubt(t *testing.T) {
	s := newServer(t, func(*Options) {})
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		put  func(w *waiter) *domain.Error
		code domain.Code
	}{
		"no answer":   {context.Background(), func(*waiter) *domain.Error { return nil }, domain.Unavailable},
		"client gone": {gone, func(*waiter) *domain.Error { return nil }, domain.Unavailable},
		"log lost it": {context.Background(), func(w *waiter) *domain.Error { w.lost(errors.New("disk")); return nil }, domain.Unavailable},
		"refused":     {context.Background(), func(*waiter) *domain.Error { return domain.Refuse(domain.Conflict, "no") }, domain.Conflict},
		"refused later": {context.Background(), func(w *waiter) *domain.Error {
			w.lost(nil)
			w.give(answer{refusal: domain.Refuse(domain.Forbidden, "no")})
			return nil
		}, domain.Forbidden},
	} {
		call := &call{Server: s, r: httptest.NewRequest(http.MethodPost, "/", nil).WithContext(c.ctx)}
		_, refusal := call.change(func(_ domain.Origin, w *waiter) *domain.Error { return c.put(w) })
		if refusal == nil || refusal.Code != c.code {
			t.Errorf("%s: %v", name, refusal)
		}
	}
	if len(s.links.waiters) != 0 {
		t.Errorf("%d waiters are left", len(s.links.waiters))
	}
	full := &call{Server: s, r: httptest.NewRequest(http.MethodPost, "/", nil)}
	for range 2 {
		s.links.wait()
	}
	if _, refusal := full.change(nil); refusal == nil || refusal.Code != domain.Overloaded || refusal.Retry == 0 {
		t.Errorf("too many waiters: %v", refusal)
	}
}

// Every code of the long link has its status, and the description names it.
func TestEveryCodeHasAStatus(t *testing.T) {
	want := map[domain.Code]int{
		domain.Invalid: 400, "unknown_type": 405, domain.Unauthenticated: 401, domain.Forbidden: 403, domain.NotFound: 404,
		domain.Conflict: 409, domain.PredecessorMissing: 409, domain.TooLarge: 413, domain.Overloaded: 429,
		domain.Unavailable: 503, domain.Internal: 500,
	}
	got := make(map[domain.Code]int)
	for code, kind := range kinds {
		got[code] = kind.status
		if p := problemOf(domain.Refuse(code, "why")); p.Retry != wire.Code(code).Retryable() || p.Title == "" || p.Status != kind.status {
			t.Errorf("%+v", p)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p := problemOf(domain.Refuse("new", "why")); p.Status != http.StatusInternalServerError {
		t.Errorf("a code without a status: %+v", p)
	}
	var spec struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Enum []domain.Code }
			}
		}
	}
	if err := json.Unmarshal(newServer(t, func(*Options) {}).Spec(), &spec); err != nil {
		t.Fatal(err)
	}
	described := spec.Components.Schemas["Problem"].Properties["code"].Enum
	for _, code := range described {
		delete(want, code)
	}
	if len(want) > 0 || len(described) != len(got) {
		t.Errorf("described are %v, not %v", described, want)
	}
}
