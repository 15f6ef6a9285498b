package rest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/merchantim/merchantim/internal/gateway/limit"
)

// Who polls is there before he looks, so that what comes in between wakes him
// (M53): so one who finds no place has not looked either. There is nothing here
// that he could look at.
func TestWhoPollsIsThereBeforeHeLooks(t *testing.T) {
	s := newServer(t, func(o *Options) {
		o.Users, o.Clock = limit.NewUsers(limit.Rates{}), func() int64 { return 0 }
	})
	if _, ok := s.links.watch("ann"); !ok {
		t.Fatal("no place for one")
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/v1/inbox?wait_ms=1000", nil)
	r.Header.Set("Authorization", "Bearer ann")
	s.ServeHTTP(w, r)
	if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "wait for messages") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
