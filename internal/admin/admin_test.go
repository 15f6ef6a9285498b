package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/auth"
	"github.com/merchantim/merchantim/internal/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// people is the simplest keeper of users: a set.
type people struct {
	mu    sync.Mutex
	names []string
	err   error
}

func (p *people) Ensure(_ context.Context, users []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	p.names = append(p.names, users...)
	return nil
}

// house is an admin listener with real keys and metrics.
type house struct {
	data    string
	keys    *auth.Keys
	key     string
	people  *people
	dead    *graves
	notYet  error
	log     bytes.Buffer
	handler http.Handler
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{data: t.TempDir(), people: &people{}, dead: &graves{}}
	var err error
	if h.keys, err = auth.Open(h.data, time.Now); err != nil {
		t.Fatal(err)
	}
	if h.key, err = auth.AdminKey(h.data); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	metrics.New(registry).Connections.Set(3)
	h.handler = admin.New(admin.Options{
		Keys: h.keys, Users: h.people, Dead: h.dead, Gatherer: registry,
		Ready:  func() error { return h.notYet },
		Status: func() admin.Status { return admin.Status{Version: "v1", StageLag: map[string]int64{"single": 4}} },
		Log:    slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return h
}

func (h *house) do(method, path, key, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res := httptest.NewRecorder()
	h.handler.ServeHTTP(res, req)
	return res
}

func TestHealthAndMetricsAreOpen(t *testing.T) {
	h := newHouse(t)
	for path, want := range map[string]string{
		"/healthz": `{"alive":true}`, "/readyz": `{"ready":true}`, "/metrics": "merchantim_connections 3",
	} {
		if res := h.do("GET", path, "", ""); res.Code != 200 || !strings.Contains(res.Body.String(), want) {
			t.Errorf("%s: %d %s", path, res.Code, res.Body)
		}
	}
	h.notYet = errors.New("replaying the log")
	isProblem(t, h.do("GET", "/readyz", "", ""), 503, "replaying the log")
	if res := h.do("GET", "/healthz", "", ""); res.Code != 200 {
		t.Error("a server that is not ready is not dead")
	}
}

func TestTheRestWantsTheAdminKey(t *testing.T) {
	h := newHouse(t)
	user, err := h.keys.Mint("alice", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "wrong", h.key[:63], user} {
		for _, path := range []string{"/admin/status", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline"} {
			isProblem(t, h.do("GET", path, key, ""), 401, "admin key")
		}
		isProblem(t, h.do("POST", "/admin/tokens", key, `{"users":["alice"]}`), 401, "admin key")
		isProblem(t, h.do("GET", "/admin/dead", key, ""), 401, "admin key")
		isProblem(t, h.do("GET", "/admin/dead/1-0-7", key, ""), 401, "admin key")
		isProblem(t, h.do("POST", "/admin/dead/1-0-7/replay", key, ""), 401, "admin key")
	}
	if len(h.people.names)+h.dead.asked != 0 {
		t.Errorf("made %v for a stranger, who asked %d times for dead letters", h.people.names, h.dead.asked)
	}
	for _, path := range []string{"/admin/status", "/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/cmdline"} {
		if res := h.do("GET", path, h.key, ""); res.Code != 200 {
			t.Errorf("%s: %d", path, res.Code)
		}
	}
	if strings.Contains(h.log.String(), h.key) {
		t.Error("the log tells the key")
	}
}

func TestTokensMakeUsers(t *testing.T) {
	h := newHouse(t)
	res := h.do("POST", "/admin/tokens", h.key, `{"users":["bob","alice","bob"],"ttl":"2h"}`)
	var answer struct{ Tokens map[string]string }
	if err := json.Unmarshal(res.Body.Bytes(), &answer); err != nil || res.Code != 200 {
		t.Fatalf("%d %s, %v", res.Code, res.Body, err)
	}
	if diff := cmp.Diff([]string{"alice", "bob"}, h.people.names); diff != "" {
		t.Error(diff)
	}
	for user, token := range answer.Tokens {
		claims, err := h.keys.Verify(token)
		if err != nil || claims.User != user || claims.Expires.Sub(claims.IssuedAt) != 2*time.Hour {
			t.Errorf("%s: %+v, %v", user, claims, err)
		}
		if strings.Contains(h.log.String(), token) {
			t.Error("the log tells a token")
		}
	}
	if len(answer.Tokens) != 2 {
		t.Errorf("%d tokens", len(answer.Tokens))
	}
}

func TestBadRequestsForTokens(t *testing.T) {
	h := newHouse(t)
	names := make([]string, admin.MaxUsers+1)
	for i := range names {
		names[i] = fmt.Sprintf("%q", fmt.Sprint("u", i))
	}
	for body, why := range map[string]string{
		``:                               "not a request for tokens",
		`[]`:                             "not a request for tokens",
		`{"users":["a"]}{}`:              "more than a request",
		`{"user":["a"]}`:                 "not a request for tokens",
		`{"users":[]}`:                   "name 1 to 10000",
		`{"users":["a","b c"]}`:          "users[1]",
		`{"users":["a",""]}`:             "users[1]",
		`{"users":["a"],"ttl":"0s"}`:     "ttl",
		`{"users":["a"],"ttl":"-1h"}`:    "ttl",
		`{"users":["a"],"ttl":"9000h"}`:  "ttl",
		`{"users":["a"],"ttl":"a week"}`: "ttl",
		`{"users":[` + strings.Join(names, ",") + `]}`: "name 1 to 10000",
	} {
		isProblem(t, h.do("POST", "/admin/tokens", h.key, body), 400, why)
	}
	isProblem(t, h.do("POST", "/admin/tokens", h.key, `{"users":["`+strings.Repeat("a", 2<<20)+`"]}`), 413, "bytes")
	if len(h.people.names) != 0 {
		t.Errorf("made %d users", len(h.people.names))
	}

	h.people.err = errors.New("disk on fire at block 7")
	res := h.do("POST", "/admin/tokens", h.key, `{"users":["a"]}`)
	isProblem(t, res, 503, "could not be stored")
	if strings.Contains(res.Body.String(), "block 7") || !strings.Contains(h.log.String(), "block 7") {
		t.Error("the reason belongs in the log and not in the answer")
	}
}

func TestStrayRequestsAreProblems(t *testing.T) {
	h := newHouse(t)
	isProblem(t, h.do("GET", "/nowhere", "", ""), 404, "nothing at this path")
	isProblem(t, h.do("DELETE", "/healthz", "", ""), 405, "DELETE")
}

func TestRequestIDsReachTheAnswerAndTheLog(t *testing.T) {
	h := newHouse(t)
	for given, kept := range map[string]bool{"req-1.a_b": true, "": false, "a b": false, "a\nb": false, strings.Repeat("a", 65): false} {
		req := httptest.NewRequest("GET", "/nowhere", nil)
		req.Header["X-Request-Id"] = []string{given}
		res := httptest.NewRecorder()
		h.handler.ServeHTTP(res, req)
		id := res.Header().Get("X-Request-Id")
		if (id == given) != kept || id == "" || !strings.Contains(h.log.String(), "request="+id) {
			t.Errorf("%q became %q", given, id)
		}
	}
}

func TestAPanicIsAProblem(t *testing.T) {
	h := newHouse(t)
	h.handler = admin.New(admin.Options{
		Keys: h.keys, Gatherer: prometheus.NewRegistry(), Log: slog.New(slog.NewTextHandler(&h.log, nil)),
		Ready: func() error { panic("a fault of ours") },
	})
	isProblem(t, h.do("GET", "/readyz", "", ""), 500, "log says why")
	if !strings.Contains(h.log.String(), "a fault of ours") {
		t.Error("the log does not say why")
	}
}

// FuzzTokens: no body makes anything but a proper answer.
func FuzzTokens(f *testing.F) {
	f.Add(`{"users":["alice","bob"],"ttl":"720h"}`)
	f.Add(`{"users":["` + strings.Repeat("a", 65) + `"]}`)
	keys, err := auth.Open(f.TempDir(), time.Now)
	if err != nil {
		f.Fatal(err)
	}
	handler := admin.New(admin.Options{
		Keys: anyone{keys}, Users: &people{}, Gatherer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	f.Fuzz(func(t *testing.T, body string) {
		req := httptest.NewRequest("POST", "/admin/tokens", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer any")
		res := httptest.NewRecorder()
		handler.ServeHTTP(res, req)
		if !slices.Contains([]int{200, 400, 413}, res.Code) || !json.Valid(res.Body.Bytes()) {
			t.Errorf("%q: %d %s", body, res.Code, res.Body)
		}
	})
}

// anyone lets any key in.
type anyone struct{ *auth.Keys }

func (anyone) IsAdmin(string) bool { return true }

func isProblem(t *testing.T, res *httptest.ResponseRecorder, status int, detail string) {
	t.Helper()
	var p struct {
		Type, Title, Detail, Instance string
		Status                        int
	}
	body, _ := io.ReadAll(res.Body)
	res.Body = bytes.NewBuffer(body)
	if err := json.Unmarshal(body, &p); err != nil || res.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s is no problem document: %v", res.Code, body, err)
	}
	if res.Code != status || p.Status != status || !strings.Contains(p.Detail, detail) || p.Type == "" || p.Title == "" || p.Instance == "" {
		t.Errorf("got %d %+v; want %d with %q", res.Code, p, status, detail)
	}
}
