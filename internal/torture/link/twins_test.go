package link

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// Each request has the twin that docs/rest.md gives it.
func TestRequests(t *testing.T) {
	in := trail.Entry{Conversation: "c"}
	for _, c := range []struct {
		frame              trail.Frame
		method, path, body string
	}{
		{trail.Frame{Type: "hello", Device: "d", Entry: trail.Entry{Inbox: &trail.Place{Epoch: "e", Index: 3, Heads: 4}}},
			"POST", "/sessions", `{"device":"d","inbox":{"epoch":"e","index":3,"heads":4}}`},
		{trail.Frame{Type: "open", With: "bob"}, "POST", "/conversations", `{"with":"bob"}`},
		{trail.Frame{Type: "create", Title: "T", Members: trail.People([]string{"bob"}), Entry: trail.Entry{Key: "g"}},
			"POST", "/groups", `{"key":"g","members":["bob"],"title":"T"}`},
		{trail.Frame{Type: "change", Add: []string{"x"}, Entry: in}, "POST", "/conversations/c/members", `{"add":["x"],"remove":null}`},
		{trail.Frame{Type: "send", After: trail.KeyRef("k0"), Entry: trail.Entry{Conversation: "c", Key: "k1", Content: &trail.Content{Type: "text", Text: "t"}}},
			"POST", "/conversations/c/messages", `{"after":"k0","content":{"type":"text","text":"t"},"key":"k1"}`},
		{trail.Frame{Type: "read", Entry: trail.Entry{Conversation: "c", Index: 7}}, "PUT", "/conversations/c/read", `{"index":7}`},
		{trail.Frame{Type: "history", After: trail.IndexRef(0), Limit: 9, Entry: in}, "GET", "/conversations/c/messages?after=0&limit=9", ""},
		{trail.Frame{Type: "history", Before: 5, Entry: in}, "GET", "/conversations/c/messages?before=5", ""},
		{trail.Frame{Type: "members", Cursor: "bob", Entry: in}, "GET", "/conversations/c/members?cursor=bob", ""},
		{trail.Frame{Type: "list", Since: 3, Cursor: "a+b", Limit: 2}, "GET", "/conversations?cursor=a%2Bb&limit=2&since=3", ""},
		{trail.Frame{Type: "inbox", After: trail.IndexRef(4), WaitMS: 100, Entry: trail.Entry{Inbox: &trail.Place{}}},
			"GET", "/inbox?after=4&heads=0&wait_ms=100", ""},
		{trail.Frame{Type: "heads"}, "GET", "/heads", ""},
	} {
		method, path, body, err := request(c.frame)
		if err != nil || method != c.method || path != c.path || string(body) != c.body {
			t.Errorf("%s: %s %s %s %v", c.frame.Type, method, path, body, err)
		}
	}
	if _, _, _, err := request(trail.Frame{Type: "ping"}); !errors.Is(err, errNoTwin) {
		t.Errorf("ping: %v", err)
	}
}

// An answer becomes the frame that the long link would have sent.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		ask, body string
		status    int
		want      string
	}{
		{"read", "", 204, `{"http":204,"id":"1","type":"done"}`},
		{"send", `{"index":3}`, 200, `{"http":200,"id":"1","index":3,"type":"sent"}`},
		{"inbox", `{"entries":[],"newest":5,"heads":8}`, 200,
			`{"entries":[],"http":200,"id":"1","inbox":{"index":5,"heads":8},"newest":5,"type":"entries"}`},
		{"send", `{"code":"overloaded","retry":true}`, 429, `{"code":"overloaded","http":429,"id":"1","retry":true,"type":"error"}`},
		{"list", "<html>\n", 502, "no answer: <html> "},
		{"heads", `{"heads":[]}`, 200, `{"heads":[],"http":200,"id":"1","type":"heads"}`},
	} {
		got := answer(trail.Frame{Type: c.ask, ID: "1"}, c.status, []byte(c.body))
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s: %s", c.ask, diff)
		}
	}
	if got := answer(trail.Frame{Type: "inbox"}, 200, []byte(`{"entries":[]}`)); got[0] == '{' {
		t.Errorf("a page without heads is no frame: %s", got)
	}
}
