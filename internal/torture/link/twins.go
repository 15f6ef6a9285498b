package link

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// errNoTwin: the short link has no such request.
var errNoTwin = errors.New("link: no HTTP twin")

// request is the HTTP request that a frame has for its twin.
func request(f trail.Frame) (method, path string, body []byte, err error) {
	of := "/conversations/" + url.PathEscape(f.Conversation)
	switch f.Type {
	case "hello":
		return post("/sessions", map[string]any{"device": f.Device, "inbox": f.Inbox})
	case "open":
		return post("/conversations", map[string]any{"with": f.With})
	case "create":
		return post("/groups", map[string]any{"key": f.Key, "title": f.Title, "members": trail.Names(f.Members)})
	case "change":
		return post(of+"/members", map[string]any{"add": f.Add, "remove": f.Remove})
	case "send":
		return post(of+"/messages", map[string]any{"key": f.Key, "after": f.After, "content": f.Content})
	case "read":
		_, path, body, err = post(of+"/read", map[string]any{"index": f.Index})
		return http.MethodPut, path, body, err
	case "history":
		path = query(of+"/messages", f)
	case "members":
		path = query(of+"/members", f)
	case "list":
		path = query("/conversations", f)
	case "inbox":
		path = query("/inbox", f)
	case "heads":
		path = "/heads"
	default:
		return "", "", nil, fmt.Errorf("%w: %s", errNoTwin, f.Type)
	}
	return http.MethodGet, path, nil, nil
}

func post(path string, fields map[string]any) (string, string, []byte, error) {
	body, err := json.Marshal(fields)
	if err != nil {
		err = fmt.Errorf("link: %w", err)
	}
	return http.MethodPost, path, body, err
}

func query(path string, f trail.Frame) string {
	v := url.Values{}
	number := func(name string, n int64) {
		if n > 0 {
			v.Set(name, strconv.FormatInt(n, 10))
		}
	}
	if f.After != nil {
		v.Set("after", string(f.After))
	}
	number("before", f.Before)
	number("limit", int64(f.Limit))
	number("since", f.Since)
	number("wait_ms", f.WaitMS)
	if f.Cursor != "" {
		v.Set("cursor", f.Cursor)
	}
	if f.Inbox != nil {
		v.Set("heads", strconv.FormatInt(f.Inbox.Heads, 10))
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// answers are the types of the answers on the long link.
var answers = map[string]string{
	"hello": "welcome", "open": "opened", "create": "opened", "change": "changed", "send": "sent", "read": "done",
	"history": "messages", "members": "members", "list": "conversations", "inbox": "entries", "heads": "heads",
}

// answer is the frame of an HTTP answer: its body with the type and id that the
// long link would give it, and its status. The newest state that a page of the
// inbox tells stands in inbox, as in a pong. A body that is no JSON object stays
// as it is, for the trail to show.
func answer(ask trail.Frame, status int, body []byte) []byte {
	fields := map[string]json.RawMessage{}
	if len(body) > 0 && json.Unmarshal(body, &fields) != nil {
		return spoilt(body)
	}
	kind := answers[ask.Type]
	if status/100 != 2 {
		kind = "error"
	}
	fields["type"], fields["id"], fields["http"] = text(kind), text(ask.ID), json.RawMessage(strconv.Itoa(status))
	if kind == "entries" {
		fields["inbox"] = fmt.Appendf(nil, `{"index":%s,"heads":%s}`, fields["newest"], fields["heads"])
		delete(fields, "heads")
	}
	raw, err := json.Marshal(fields)
	if err != nil { // newest or heads is none
		return spoilt(body)
	}
	return raw
}

func text(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil { // a string always marshals
		panic(err)
	}
	return b
}

// spoilt is a body that is no answer, as one line that is no frame.
func spoilt(body []byte) []byte {
	return append([]byte("no answer: "), bytes.ReplaceAll(body, []byte{'\n'}, []byte{' '})...)
}
