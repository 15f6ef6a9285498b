package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// web is a user of the short link, who has no other one.
type web struct {
	t     *testing.T
	base  string
	token string
	http  *http.Client
}

// said is what the server answered.
type said struct {
	status int
	header http.Header
	body   []byte

	wire.Received // of the body, whatever it is
	Missed        []wire.Shown
	Heads         json.RawMessage // the sum, or the list of them
	problem       problem
}

// problem is a refusal.
type problem struct {
	Type, Title, Detail string
	Status              int
	Code                wire.Code
	Retry               bool
	RetryMS             int64 `json:"retry_ms"`
}

// web signs nobody in: a token is enough.
func (s *server) web(user string) *web { return newWeb(s.t, s.Addr(), s.token(user)) }

func newWeb(t *testing.T, addr, token string) *web {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &web{t: t, base: "http://" + addr, token: token, http: &http.Client{Transport: transport}}
}

// try asks and returns what came, or why nothing came.
func (w *web) try(method, path string, body []byte, header ...string) (*said, error) {
	req, err := http.NewRequestWithContext(within(w.t), method, w.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := w.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	r := &said{status: res.StatusCode, header: res.Header}
	if r.body, err = io.ReadAll(res.Body); err != nil {
		return nil, err
	}
	if len(r.body) == 0 {
		return r, nil
	}
	switch res.Header.Get("Content-Type") {
	case "application/json":
		// Received and said differ in what heads are: each is read by itself.
		var more struct {
			Missed []wire.Shown
			Heads  json.RawMessage
		}
		_ = json.Unmarshal(r.body, &r.Received) // its heads are a list in one answer only
		if err := json.Unmarshal(r.body, &more); err != nil {
			return nil, err
		}
		r.Missed, r.Heads = more.Missed, more.Heads
	case "application/problem+json":
		if err := json.Unmarshal(r.body, &r.problem); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (w *web) ask(method, path, body string, header ...string) *said {
	w.t.Helper()
	var b []byte
	if body != "" {
		b = []byte(body)
	}
	r, err := w.try(method, path, b, header...)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

// ok asks and expects 200.
func (w *web) ok(method, path, body string, header ...string) *said {
	w.t.Helper()
	r := w.ask(method, path, body, header...)
	if r.status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
	}
	return r
}

// refused asks and expects a problem that is whole.
func (w *web) refused(method, path, body string, status int, code wire.Code, header ...string) *said {
	w.t.Helper()
	r := w.ask(method, path, body, header...)
	w.refusal(r, status, code, method+" "+path)
	return r
}

func (w *web) refusal(r *said, status int, code wire.Code, what string) {
	w.t.Helper()
	p := r.problem
	if r.status != status || p.Code != code || p.Status != status {
		w.t.Fatalf("%.200s: %d %.300s instead of %d %s", what, r.status, r.body, status, code)
	}
	if p.Type == "" || p.Title == "" || p.Detail == "" || p.Retry != code.Retryable() ||
		(r.header.Get("Retry-After") != "") != p.Retry || r.header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("%.200s: not a whole problem: %s, %v", what, r.body, r.header)
	}
}

func (w *web) open(with string) string {
	w.t.Helper()
	return w.ok("POST", "/v1/conversations", `{"with":"`+with+`"}`).Conversation
}

func (w *web) signIn() *said {
	w.t.Helper()
	return w.ok("POST", "/v1/sessions", `{"device":"web"}`)
}

func (w *web) send(conversation, key, text string) *said {
	w.t.Helper()
	body := wire.AppendTextContent([]byte(`{"key":"`+key+`","content":`), []byte(text))
	return w.ok("POST", "/v1/conversations/"+conversation+"/messages", string(append(body, '}')))
}

// reach signs in until the inbox is that long: an answer to a send does not wait
// for the inboxes.
func (w *web) reach(index uint64) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		if r := w.signIn(); r.Inbox.Index >= index {
			return
		} else if time.Now().After(deadline) {
			w.t.Fatalf("the inbox does not reach %d: %s", index, r.body)
		}
	}
}
