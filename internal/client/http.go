package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// httpCall is a request as HTTP carries it.
type httpCall struct {
	method, path string
	body         any // nil: none
}

// reader is the body as it goes out, without the escapes that only HTML needs.
func (c *httpCall) reader() (io.Reader, error) {
	if c.body == nil {
		return http.NoBody, nil
	}
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(c.body); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return &body, nil
}

// http is the request as the short link carries it.
func (r *request) http() *httpCall {
	of := "/conversations/" + url.PathEscape(r.conversation)
	switch r.op {
	case wire.Open:
		return &httpCall{http.MethodPost, "/conversations", map[string]any{"with": r.with}}
	case wire.Send:
		body := map[string]any{"key": r.key, "content": json.RawMessage(wire.AppendTextContent(nil, []byte(r.text)))}
		if r.after != "" {
			body["after"] = r.after
		}
		return &httpCall{http.MethodPost, of + "/messages", body}
	case wire.Create:
		return &httpCall{http.MethodPost, "/groups", map[string]any{"key": r.key, "title": r.title, "members": names(r.users)}}
	case wire.Change:
		return &httpCall{http.MethodPost, of + "/members", map[string]any{"add": names(r.users), "remove": names(r.remove)}}
	case wire.Read:
		return &httpCall{http.MethodPut, of + "/read", map[string]any{"index": r.index}}
	case wire.Members:
		return r.get(of+"/members", 0)
	case wire.History:
		return r.get(of+"/messages", r.index)
	case wire.Inbox:
		return r.get("/inbox", r.index)
	case wire.List:
		return r.get("/conversations", 0)
	default:
		return r.get("/heads", 0)
	}
}

// names is never null.
func names(users []string) []string { return append([]string{}, users...) }

func (r *request) get(path string, index uint64) *httpCall {
	q := url.Values{}
	number := func(name string, n uint64) { q.Set(name, strconv.FormatUint(n, 10)) }
	switch {
	case r.op == wire.Inbox || r.behind:
		number("after", index)
	case index > 0:
		number("before", index)
	}
	if r.cursor != "" {
		q.Set("cursor", r.cursor)
	}
	if r.since > 0 {
		number("since", r.since)
	}
	if r.limit > 0 {
		number("limit", uint64(r.limit))
	}
	if r.wait > 0 {
		number("wait_ms", uint64(r.wait.Milliseconds()))
		number("heads", r.heads)
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return &httpCall{method: http.MethodGet, path: path}
}

// answerTypes are the frames that the answers stand for.
var answerTypes = map[wire.Type]string{
	wire.Open: "opened", wire.Send: "sent", wire.Create: "opened", wire.Change: "changed", wire.Read: "done",
	wire.Members: "members", wire.History: "messages", wire.Inbox: "entries", wire.List: "conversations", wire.Heads: "heads",
}

// frame is the answer as the long link would have brought it.
func (a *httpAnswer) frame(id string, r *request) (*wire.Received, error) {
	out := a.refused
	if out == nil {
		out = new(wire.Received)
		var err error
		switch {
		case r.op == wire.Read: // has no body
		case r.op == wire.Inbox:
			err = readInbox(a.body, out)
		default:
			err = json.Unmarshal(a.body, out)
		}
		if err != nil {
			return nil, fmt.Errorf("client: short link: %w", err)
		}
		out.Type = answerTypes[r.op]
	}
	out.ID = id
	return out, nil
}

// readInbox reads a page of the inbox, which tells the sum of the heads, too.
func readInbox(body []byte, out *wire.Received) error {
	var page struct {
		Entries []wire.Shown `json:"entries"`
		Newest  uint64       `json:"newest"`
		Heads   uint64       `json:"heads"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return err
	}
	out.Entries, out.Newest, out.Inbox.Heads = page.Entries, page.Newest, page.Heads
	return nil
}
