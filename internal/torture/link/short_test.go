package link

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func frame(t *testing.T, f trail.Frame) []byte {
	t.Helper()
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Sends go out one after another with the token of hello, and a request that
// goes without answer ends the link.
func TestShortLink(t *testing.T) {
	var paths []string // of the sends; one at a time, so there is no race
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer secret":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"code":"unauthenticated"}`))
		case strings.HasSuffix(r.URL.Path, "/heads"):
			panic(http.ErrAbortHandler)
		case strings.HasSuffix(r.URL.Path, "/messages"):
			paths = append(paths, r.URL.Path)
			fallthrough
		default:
			_, _ = w.Write([]byte(`{}`))
		}
	}))
	defer srv.Close()
	l, err := DialShort(t.Context(), strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Send(frame(t, trail.Frame{Type: "hello", ID: "h", Token: "secret"})); err != nil {
		t.Fatal(err)
	}
	if r := <-l.In; len(r.Frames) != 1 || r.Frames[0].Type != "welcome" || r.Frames[0].ID != "h" {
		t.Fatalf("%+v", r)
	}
	var out [][]byte
	for _, conv := range []string{"a", "b", "c", "d"} {
		out = append(out, frame(t, trail.Frame{Type: "send", ID: conv, Entry: trail.Entry{Conversation: conv}}))
	}
	if err := l.Send(out...); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a", "b", "c", "d"} {
		if r := <-l.In; len(r.Frames) != 1 || r.Frames[0].ID != want || r.Frames[0].Type != "sent" {
			t.Fatalf("%s: %+v", want, r)
		}
	}
	if got := strings.Join(paths, " "); got != "/v1/conversations/a/messages /v1/conversations/b/messages /v1/conversations/c/messages /v1/conversations/d/messages" {
		t.Error(got)
	}
	if err := l.Send(frame(t, trail.Frame{Type: "heads", ID: "x"})); err != nil {
		t.Fatal(err)
	}
	if r := <-l.In; r.Err == nil {
		t.Fatalf("%+v", r)
	}
}

// A link that is closed leaves nothing behind, asked or not.
func TestShortLinkClosed(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer srv.Close()
	addr := strings.TrimPrefix(srv.URL, "http://")
	for _, asks := range []int{0, 3} {
		l, err := DialShort(t.Context(), addr)
		if err != nil {
			t.Fatal(err)
		}
		for range asks {
			if err := l.Send(frame(t, trail.Frame{Type: "inbox", WaitMS: 1000})); err != nil {
				t.Fatal(err)
			}
		}
		l.Close()
	}
	srv.Close()
	if _, err := DialShort(t.Context(), addr); err == nil {
		t.Error("a server that is down was not noticed")
	}
}
