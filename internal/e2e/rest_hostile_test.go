package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/auth"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// hostile is a server whose every operation is asked for, well and badly.
type hostile struct {
	*description
	s     *server
	alice *web
	group string
	asked int // badly
}

// good is a request for an operation that is served: its own example.
func (h *hostile) good(op *described) (path, body string) {
	path = strings.ReplaceAll(op.path, "{conversation}", h.group)
	if op.RequestBody == nil {
		return path, ""
	}
	return path, encode(op.RequestBody.Content["application/json"].Example)
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// bad asks for an operation in a way that is refused.
func (h *hostile) bad(t *testing.T, op *described, what, path, body string, status int, code wire.Code, header ...string) {
	t.Helper()
	h.asked++
	r := h.alice.ask(op.method, path, body, header...)
	h.alice.refusal(r, status, code, op.ID+", "+what+": "+path+" "+body)
	if status != http.StatusUnsupportedMediaType {
		h.answers(t, op, r)
	}
}

// M53, M54: for every operation of the description, all that can be wrong about
// a request is refused with its code, changes nothing, and disturbs nobody.
func TestEveryOperationRefusesWhatIsWrong(t *testing.T) {
	s := serve(t)
	for _, name := range []string{"bob", "carol", "dave"} {
		s.web(name).signIn()
	}
	alice := s.web("alice")
	h := &hostile{description: alice.description(), s: s, alice: alice}
	h.group = alice.ok("POST", "/v1/groups", `{"key":"g0","title":"x","members":["bob","carol"]}`).Conversation
	for i := range 5 {
		alice.send(h.group, fmt.Sprint("a", 2*i), "text")
	}
	witness, friend := s.enter("witness"), s.enter("friend")
	chat := witness.open("friend")
	for i, op := range h.all {
		t.Run(op.ID, func(t *testing.T) {
			alice.t = t
			h.well(t, op)
			before := h.entries()
			h.tokens(t, op)
			h.paths(t, op)
			h.params(t, op)
			if op.RequestBody != nil {
				h.bodies(t, op)
				h.fields(t, op, h.resolve(op.RequestBody.Content["application/json"].Schema), nil)
			}
			if after := h.entries(); after != before {
				t.Errorf("what was refused made %d entries", after-before)
			}
		})
		witness.send(chat, fmt.Sprint("k", i), "still here")
		if m := friend.push(); m.Inbox.Index != uint64(i+1) {
			t.Errorf("after %s the friend got %+v", op.ID, m)
		}
	}
	if t.Logf("%d bad requests", h.asked); h.asked < 500 {
		t.Errorf("only %d bad requests were made of the description", h.asked)
	}
}

// entries is how long the group's chain is.
func (h *hostile) entries() uint64 {
	h.alice.t.Helper()
	page := h.alice.ok("GET", "/v1/conversations/"+h.group+"/messages?limit=1", "")
	return page.Messages[0].Index
}

// well asks as the example does, and once more with what is ignored.
func (h *hostile) well(t *testing.T, op *described) {
	path, body := h.good(op)
	bodies := []string{body}
	if body != "" {
		bodies = append(bodies, `{"unknown":{"a":[1,null]},"type":"x","id":7,`+body[1:])
	}
	for _, b := range bodies {
		r := h.alice.ask(op.method, path+"?unknown=1", b)
		if r.status >= 300 {
			t.Fatalf("its example is refused: %d %s", r.status, r.body)
		}
		h.answers(t, op, r)
	}
	for _, p := range op.Parameters {
		if p.In != "query" || p.Name == "cursor" {
			continue
		}
		value := fmt.Sprint(p.Example)
		if many, is := p.Example.([]any); is {
			value = fmt.Sprint(many[0])
		}
		if p.Name == "wait_ms" {
			value = "1"
		}
		r := h.alice.ask(op.method, path+"?"+p.Name+"="+value, body)
		if r.status >= 300 {
			t.Errorf("%s=%s is refused: %d %s", p.Name, value, r.status, r.body)
		}
		h.answers(t, op, r)
	}
}

func (h *hostile) tokens(t *testing.T, op *described) {
	path, body := h.good(op)
	if op.Security == nil {
		return
	}
	good := h.alice.token
	defer func() { h.alice.token = good }()
	past, err := auth.Open(h.s.cfg.Data, func() time.Time { return time.Now().Add(-2 * time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	expired, err := past.Mint("alice", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for what, token := range map[string]string{
		"no token": "", "nonsense": "x", "long": strings.Repeat("x", 8000), "tampered": good[:len(good)-6] + "AAAAAA",
		"expired": expired, "unsigned": "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".",
		"another server's": tokenFor(t, t.TempDir(), "alice", time.Hour),
	} {
		h.alice.token = token
		h.bad(t, op, what, path, body, http.StatusUnauthorized, wire.CodeUnauthenticated)
	}
	h.alice.token = ""
	h.bad(t, op, "another scheme", path, body, http.StatusUnauthorized, wire.CodeUnauthenticated, "Authorization", "Basic "+good)
}

func (h *hostile) paths(t *testing.T, op *described) {
	_, body := h.good(op)
	path := func(id string) string { return strings.ReplaceAll(op.path, "{conversation}", id) }
	if strings.Contains(op.path, "{conversation}") {
		for _, id := range []string{"general", strings.ToUpper(h.group), h.group + "0", "%ff", "%00", "..%2f", "%7Bconversation%7D"} {
			h.bad(t, op, "no UUID", path(id), body, http.StatusBadRequest, wire.CodeInvalid)
		}
		h.bad(t, op, "unknown", path("00000000-0000-8000-8000-000000000000"), body, http.StatusNotFound, wire.CodeNotFound)
		mine := h.alice.token
		h.alice.token = h.s.token("eve")
		h.bad(t, op, "foreign", path(h.group), body, http.StatusForbidden, wire.CodeForbidden)
		h.alice.token = mine
	}
	h.bad(t, op, "broken query", path(h.group)+"?a=%zz", body, http.StatusBadRequest, wire.CodeInvalid)
	for _, method := range []string{"DELETE", "PATCH", "DANCE"} {
		r := h.alice.refused(method, path(h.group), body, http.StatusMethodNotAllowed, wire.CodeUnknownType)
		if !strings.Contains(r.header.Get("Allow"), op.method) {
			t.Errorf("%s: Allow %q", method, r.header.Get("Allow"))
		}
	}
	h.alice.refused(op.method, path(h.group)+"/nothing/here", body, http.StatusNotFound, wire.CodeNotFound)
}

func (h *hostile) params(t *testing.T, op *described) {
	path, body := h.good(op)
	for _, p := range op.Parameters {
		var wrong []string
		if p.Schema.Type == "integer" {
			wrong = []string{
				"-1", "+1", "1.0", "1e3", "0x1", "x", " 1", "99999999999999999999", "1\x00", "١", "null",
				fmt.Sprint(int64(*p.Schema.Minimum) - 1), fmt.Sprint(int64(*p.Schema.Maximum) + 1),
			}
		} else {
			wrong = []string{"\xff", "é", "a\"b\\", "\x00", strings.Repeat("x", 600)}
		}
		if p.Schema.Items != nil {
			h.repeated(t, op, p)
		}
		for _, value := range wrong {
			switch p.In {
			case "query":
				h.bad(t, op, p.Name, path+"?"+p.Name+"="+url.QueryEscape(value), body, http.StatusBadRequest, wire.CodeInvalid)
			case "header":
				if !strings.Contains(value, "\x00") { // no HTTP at all
					h.bad(t, op, p.Name, path, body, http.StatusBadRequest, wire.CodeInvalid, p.Name, value)
				}
			}
		}
	}
}

// repeated asks with too many values of a parameter, and with a bad one among
// good ones.
func (h *hostile) repeated(t *testing.T, op *described, p parameter) {
	path, _ := h.good(op)
	good := p.Name + "=" + url.QueryEscape(fmt.Sprint(p.Example.([]any)[0]))
	most := path + "?" + strings.Repeat(good+"&", *p.Schema.MaxItems)
	if r := h.alice.ask(op.method, most, ""); r.status >= 300 {
		t.Errorf("%s as often as it may come: %d %s", p.Name, r.status, r.body)
	}
	h.bad(t, op, p.Name, most+good, "", http.StatusBadRequest, wire.CodeInvalid)
	h.bad(t, op, p.Name, path+"?"+good+"&"+p.Name+"=a%20b&"+good, "", http.StatusBadRequest, wire.CodeInvalid)
}

func (h *hostile) bodies(t *testing.T, op *described) {
	path, good := h.good(op)
	deep := strings.Repeat("[", 32) + strings.Repeat("]", 32) // and the body around it
	for what, body := range map[string]string{
		"not JSON": "hello", "half an object": good[:len(good)-1], "two objects": good + good, "an array": "[" + good + "]",
		"null": "null", "a string": `"x"`, "nothing": " ", "deep": `{"x":` + deep + `,` + good[1:], "deep and open": strings.Repeat(`{"x":`, 10_000),
		"broken UTF-8": "{\"x\":\"a\xffb\"," + good[1:], "half a surrogate": `{"x":"\ud800",` + good[1:], "a comma too many": good[:len(good)-1] + ",}",
		"a NUL": "\x00" + good, "a control character": "{\"x\":\"\x01\"," + good[1:], "byte order mark": "\ufeff" + good,
	} {
		h.bad(t, op, what, path, body, http.StatusBadRequest, wire.CodeInvalid)
	}
	fits := good[:len(good)-1] + strings.Repeat(" ", wire.MaxMessage-len(good)) + "}"
	if r := h.alice.ask(op.method, path, fits); r.status >= 300 {
		t.Errorf("a body of %d bytes: %d %s", len(fits), r.status, r.body)
	}
	h.bad(t, op, "oversized", path, " "+fits, http.StatusRequestEntityTooLarge, wire.CodeTooLarge)
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json;=", "x"} {
		h.bad(t, op, kind, path, good, http.StatusUnsupportedMediaType, wire.CodeInvalid, "Content-Type", kind)
	}
	if r := h.alice.ask(op.method, path, good, "Content-Type", "application/json; charset=utf-8"); r.status >= 300 {
		t.Errorf("with a charset: %d %s", r.status, r.body)
	}
}

// fields puts into each field of the body what does not belong there.
func (h *hostile) fields(t *testing.T, op *described, s *schema, at []string) {
	path, good := h.good(op)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field, place := h.resolve(s.Properties[name]), append(at[:len(at):len(at)], name)
		wrong := wrongFor(h.description, field)
		if slices.Contains(s.Required, name) {
			wrong = append(wrong, nil, takenAway{})
		}
		for _, value := range wrong {
			var body any
			if err := json.Unmarshal([]byte(good), &body); err != nil {
				t.Fatal(err)
			}
			set(body, place, value)
			h.bad(t, op, strings.Join(place, "."), path, encode(body), http.StatusBadRequest, wire.CodeInvalid)
		}
		if field.Type == "object" {
			h.fields(t, op, field, place)
		}
	}
}

// takenAway stands for a field that is taken away.
type takenAway struct{}

func set(body any, place []string, value any) {
	m, _ := body.(map[string]any)
	switch {
	case len(place) > 1:
		set(m[place[0]], place[1:], value)
	case value == takenAway{}:
		delete(m, place[0])
	default:
		m[place[0]] = value
	}
}

// wrongFor are values that a field cannot have.
func wrongFor(d *description, s *schema) (wrong []any) {
	for kind, value := range map[string]any{
		"boolean": true, "number": 1.5, "integer": 7, "string": "x y é", "array": []any{1}, "object": map[string]any{"a": 1},
	} {
		if kind != s.Type || s.Pattern != "" || s.Items != nil || s.Enum != nil || s.Type == "object" {
			wrong = append(wrong, value)
		}
	}
	switch {
	case s.Type == "integer":
		wrong = append(wrong, -1, json.Number("1.0"), json.Number("1e1"), json.Number("9007199254740992"), "7")
	case s.Pattern != "":
		wrong = append(wrong, "", strings.Repeat("x", 65), "a\"b", "a\x00")
	case s.Items != nil:
		many := make([]string, 501)
		for i := range many {
			many[i] = fmt.Sprint("user", i)
		}
		wrong = append(wrong, many, []any{"ok", ""}, []any{nil}, []any{[]any{}})
	}
	return wrong
}

func TestUnknownPathsAreProblems(t *testing.T) {
	w := serve(t).web("alice")
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/nothing", "//v1/heads", "/v1//heads", "/v1/heads/", "/v2/heads", "/v1/docs/nothing", "/%ff", "/v1/../v1/heads"} {
		w.refused("GET", path, "", http.StatusNotFound, wire.CodeNotFound)
		w.refused("POST", path, "{}", http.StatusNotFound, wire.CodeNotFound)
	}
}

// The reference page and what it loads ask nobody but this server.
func TestTheReferencePageIsOurOwn(t *testing.T) {
	s := serve(t)
	w := newWeb(t, s.Addr(), "")
	for path, kind := range map[string]string{
		"/v1/docs": "text/html", "/v1/docs/page.js": "text/javascript", "/v1/docs/page.css": "text/css", "/v1/openapi.json": "application/json",
	} {
		r := w.ok("GET", path, "")
		if got := r.header.Get("Content-Type"); !strings.HasPrefix(got, kind) {
			t.Errorf("%s is %s", path, got)
		}
		for _, foreign := range []string{"http://", "https://", "//unpkg", "//cdn"} {
			if path != "/v1/openapi.json" && strings.Contains(string(r.body), foreign) {
				t.Errorf("%s names %s", path, foreign)
			}
		}
		if rules := r.header.Get("Content-Security-Policy"); !strings.Contains(rules, "default-src 'none'") {
			t.Errorf("%s: %q", path, rules)
		}
		if again := w.ask("GET", path, "", "If-None-Match", r.header.Get("ETag")); again.status != http.StatusNotModified {
			t.Errorf("%s again: %d", path, again.status)
		}
	}
	html := string(w.ok("GET", "/v1/docs", "").body)
	for _, part := range []string{`href="/v1/docs/page.css"`, `src="/v1/docs/page.js"`} {
		if !strings.Contains(html, part) {
			t.Errorf("the page does not load %s", part)
		}
	}
	page := string(w.ok("GET", "/v1/docs/page.js", "").body)
	for _, code := range []wire.Code{
		wire.CodeInvalid, wire.CodeUnknownType, wire.CodeUnauthenticated, wire.CodeForbidden, wire.CodeNotFound, wire.CodeConflict,
		wire.CodePredecessorMissing, wire.CodeTooLarge, wire.CodeOverloaded, wire.CodeUnavailable, wire.CodeInternal,
	} {
		if !strings.Contains(page, "\n  "+string(code)+": ") {
			t.Errorf("the page does not explain %s", code)
		}
	}
}
