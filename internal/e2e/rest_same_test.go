package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// raw asks over the long link and returns the frame as it came.
func (l *link) raw(frame []byte) map[string]any {
	l.t.Helper()
	if err := l.ws.Write(l.ctx, websocket.MessageText, frame); err != nil {
		l.t.Fatal(err)
	}
	for {
		_, message, err := l.ws.Read(l.ctx)
		if err != nil {
			l.t.Fatal(err)
		}
		lines := wire.SplitAny(message)
		for line, ok := lines.Next(); ok; line, ok = lines.Next() {
			var f map[string]any
			if err := json.Unmarshal(line, &f); err != nil {
				l.t.Fatal(err)
			}
			if f["id"] == "r" {
				delete(f, "id")
				delete(f, "type")
				return f
			}
		}
	}
}

func (r *said) fields(t *testing.T) map[string]any {
	t.Helper()
	var f map[string]any
	if err := json.Unmarshal(r.body, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// M54: for the same data both links say the same, field by field, but for type
// and id of a frame, and what the short link has to say more.
func TestBothLinksSayTheSame(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Limits.LargeGroupSize = 3 })
	for _, name := range []string{"bob", "carol", "dave"} {
		s.web(name).signIn()
	}
	short := s.web("alice")
	session := short.signIn().fields(t)
	long := s.dial()
	welcome := long.raw(wire.AppendHello(nil, "r", s.token("alice"), "d"))
	delete(welcome, "at")
	delete(session, "at")
	if diff := cmp.Diff(welcome, session); diff != "" {
		t.Error("welcome:", diff)
	}
	id := short.open("bob")
	small := short.ok("POST", "/v1/groups", `{"key":"g1","title":"Returns","members":["bob","carol"]}`).Conversation
	large := short.ok("POST", "/v1/groups", `{"key":"g2","title":"All","members":["bob","carol","dave"]}`).Conversation
	for i := range 5 {
		short.send(id, fmt.Sprint("k", i), fmt.Sprint("text ", i))
		short.send(large, fmt.Sprint("k", i), fmt.Sprint("text ", i))
	}
	const inboxed = 1 + 2 + 5 // the first entries of the groups, and what was said to bob
	short.reach(inboxed)
	list := short.ok("GET", "/v1/conversations?limit=2", "").fields(t)
	cursor, _ := list["cursor"].(string)
	at := "/v1/conversations/"
	for name, c := range map[string]struct {
		frame      []byte
		method     string
		path, body string
		more       []string // what the short link says besides
	}{
		"open":   {frame: wire.AppendOpen(nil, "r", "bob"), method: "POST", path: "/v1/conversations", body: `{"with":"bob"}`},
		"create": {frame: wire.AppendCreate(nil, "r", "g1", "Returns", []string{"bob", "carol"}), method: "POST", path: "/v1/groups", body: `{"key":"g1","title":"Returns","members":["bob","carol"]}`},
		"change": {frame: wire.AppendChange(nil, "r", small, []string{"bob"}, nil), method: "POST", path: at + small + "/members", body: `{"add":["bob"]}`},
		"send": {
			frame: wire.AppendSend(nil, "r", id, "k2", "", "text 2"), method: "POST", path: at + id + "/messages",
			body: `{"key":"k2","content":{"type":"text","text":"text 2"}}`,
		},
		"members":          {frame: wire.AppendListMembers(nil, "r", small, "", 2), path: at + small + "/members?limit=2"},
		"members, last":    {frame: wire.AppendListMembers(nil, "r", small, "bob", 2), path: at + small + "/members?limit=2&cursor=bob"},
		"history":          {frame: wire.AppendHistory(nil, "r", id, 0, 3), path: at + id + "/messages?limit=3"},
		"history, before":  {frame: wire.AppendHistory(nil, "r", id, 3, 50), path: at + id + "/messages?before=3"},
		"history, after":   {frame: wire.AppendHistoryAfter(nil, "r", id, 2, 2), path: at + id + "/messages?after=2&limit=2"},
		"history of group": {frame: wire.AppendHistory(nil, "r", large, 0, 50), path: at + large + "/messages"},
		"inbox":            {frame: wire.AppendInbox(nil, "r", 0, 500), path: "/v1/inbox?limit=500", more: []string{"heads"}},
		"inbox, page":      {frame: wire.AppendInbox(nil, "r", 4, 2), path: "/v1/inbox?after=4&limit=2", more: []string{"heads"}},
		"list":             {frame: wire.AppendList(nil, "r", "", 0, 2), path: "/v1/conversations?limit=2"},
		"list, next":       {frame: wire.AppendList(nil, "r", cursor, 0, 2), path: "/v1/conversations?limit=2&cursor=" + cursor},
		"list, since":      {frame: wire.AppendList(nil, "r", "", 6, 50), path: "/v1/conversations?since=6"},
		"heads":            {frame: wire.AppendListHeads(nil, "r"), path: "/v1/heads"},
	} {
		method := c.method
		if method == "" {
			method = http.MethodGet
		}
		got := short.ok(method, c.path, c.body).fields(t)
		for _, field := range c.more {
			if _, there := got[field]; !there {
				t.Errorf("%s: no %s in %v", name, field, got)
			}
			delete(got, field)
		}
		if want := long.raw(c.frame); cmp.Diff(want, got) != "" || len(got) == 0 {
			t.Errorf("%s: %s", name, cmp.Diff(want, got))
		}
	}
	// What the short link's page says of the heads is what a pong says.
	pong, _ := long.raw(wire.AppendPing(nil, "r"))["inbox"].(map[string]any)
	if sum := short.ok("GET", "/v1/inbox", "").fields(t)["heads"]; sum != pong["heads"] || sum == 0.0 {
		t.Errorf("heads %v, a pong has %v", sum, pong)
	}
}
