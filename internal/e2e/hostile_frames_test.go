package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/auth"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// trait is a field of a request, by its path, and what may be wrong with it.
type trait struct {
	path     string
	good     any
	optional bool
	// tooMuch is a value over the field's limit, refused with code (invalid if
	// empty); nil: it has none.
	tooMuch any
	code    wire.Code
	// other makes another request of it under the same key; nil: it does not.
	other any
}

// request is a type of frame with all its fields.
type request struct {
	answer string
	traits []trait
}

// place is where hostile frames are sent: alice talks with bob and owns a group.
type place struct {
	token, direct, group, foreign string
}

const nowhere = "00000000-0000-8000-8000-000000000000"

func long(n int) string { return strings.Repeat("x", n) }

func many(n int) []string { return slices.Repeat([]string{"bob"}, n) }

// requests has every type of request; a type that is missing fails the test.
func requests(p place) map[wire.Type]request {
	const beyond = wire.MaxIndex + 1
	conversation := trait{path: "conversation", good: p.direct, tooMuch: p.direct + "0"}
	return map[wire.Type]request{
		wire.Hello: {"welcome", []trait{
			{path: "token", good: p.token, tooMuch: long(4097)},
			{path: "device", good: "d", tooMuch: long(65)},
			{path: "inbox", good: map[string]any{"epoch": "e", "index": 1, "heads": 1}, optional: true},
			{path: "inbox.epoch", good: "e", tooMuch: long(65)},
			{path: "inbox.index", good: 1, tooMuch: beyond},
			{path: "inbox.heads", good: 1, tooMuch: beyond, optional: true},
		}},
		wire.Open: {"opened", []trait{{path: "with", good: "bob", tooMuch: long(65)}}},
		wire.Send: {"sent", []trait{
			conversation,
			{path: "key", good: "k", tooMuch: long(65)},
			{path: "after", good: "first", tooMuch: long(65), optional: true},
			{path: "content", good: map[string]any{"type": "text", "text": "hi"}},
			{path: "content.type", good: "text", tooMuch: long(65)},
			{path: "content.text", good: "hi", tooMuch: long(8193), code: wire.CodeTooLarge, other: "ho"},
		}},
		wire.History: {"messages", []trait{
			conversation,
			{path: "before", good: 5, tooMuch: beyond, optional: true},
			{path: "limit", good: 5, tooMuch: 201, optional: true},
		}},
		wire.Inbox: {"entries", []trait{
			{path: "after", good: 0, tooMuch: beyond},
			{path: "limit", good: 5, tooMuch: 501, optional: true},
		}},
		wire.List: {"conversations", []trait{
			{path: "cursor", good: "", tooMuch: long(513), optional: true},
			{path: "since", good: 0, tooMuch: beyond, optional: true},
			{path: "limit", good: 5, tooMuch: 201, optional: true},
		}},
		wire.Read: {"done", []trait{conversation, {path: "index", good: 1, tooMuch: beyond}}},
		wire.Ping: {"pong", nil},
		wire.Create: {"opened", []trait{
			{path: "key", good: "g", tooMuch: long(65)},
			{path: "title", good: "Returns", tooMuch: long(201), code: wire.CodeTooLarge, optional: true, other: "Orders"},
			{path: "members", good: []string{"bob"}, tooMuch: many(501), optional: true, other: []string{}},
		}},
		wire.Change: {"changed", []trait{
			{path: "conversation", good: p.group, tooMuch: p.group + "0"},
			{path: "add", good: []string{"bob"}, tooMuch: many(501), optional: true},
			{path: "remove", good: []string{}, tooMuch: many(501), optional: true},
		}},
		wire.Members: {"members", []trait{
			conversation,
			{path: "cursor", good: "a", tooMuch: long(65), optional: true},
			{path: "limit", good: 5, tooMuch: 1001, optional: true},
		}},
		wire.Heads: {"heads", nil},
		wire.Presence: {"presence", []trait{
			{path: "users", good: []string{"bob"}, tooMuch: many(101)},
			{path: "watch", good: true, optional: true},
		}},
	}
}

// frame writes a request with some of its fields replaced. A replacement of
// absent leaves the field out.
func (r request) frame(kind wire.Type, replaced map[string]any) string {
	f := map[string]any{"type": kind.String(), "id": "x"}
	put := func(path string, value any) {
		in, leaf := f, path
		if outer, inner, nested := strings.Cut(path, "."); nested {
			object, ok := f[outer].(map[string]any)
			if !ok {
				return // it was replaced as a whole
			}
			in, leaf = object, inner
		}
		if value == (absent{}) {
			delete(in, leaf)
		} else {
			in[leaf] = value
		}
	}
	for _, t := range r.traits {
		if object, ok := t.good.(map[string]any); ok {
			put(t.path, maps.Clone(object))
		} else {
			put(t.path, t.good)
		}
	}
	for path, value := range replaced {
		put(path, value)
	}
	text, err := json.Marshal(f)
	if err != nil {
		panic(err) // of the table above
	}
	return string(text)
}

type absent struct{}

// wrongTypes are values of every kind of JSON but the good one's.
func wrongTypes(good any) map[string]any {
	all := map[string]any{"text": "?", "number": 7, "true": true, "list": []any{1}, "object": map[string]any{"a": 1}, "fraction": 1.5}
	switch good.(type) {
	case string:
		delete(all, "text")
	case int:
		delete(all, "number")
	case bool:
		delete(all, "true")
	case map[string]any:
		delete(all, "object") // its fields have their own cases
	}
	return all
}

// hostileCase is a frame and what it is answered with.
type hostileCase struct {
	name, frame, id string
	code            wire.Code
}

// cases makes the bad frames of a type, which no type may survive.
func (r request) cases(kind wire.Type, p place) (all []hostileCase) {
	add := func(what string, replaced map[string]any, code wire.Code) {
		all = append(all, hostileCase{what, r.frame(kind, replaced), "x", code})
	}
	good := r.frame(kind, nil)
	extra := func(value string) string { return strings.TrimSuffix(good, "}") + `,"extra":` + value + "}" }
	all = append(all,
		hostileCase{"no id", r.frame(kind, map[string]any{"id": absent{}}), "", wire.CodeInvalid},
		hostileCase{"half of it", good[:len(good)-1], "x", wire.CodeInvalid},
		hostileCase{"deep JSON", extra(strings.Repeat("[", 40) + strings.Repeat("]", 40)), "x", wire.CodeInvalid},
		hostileCase{"very deep JSON", extra(strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)), "x", wire.CodeInvalid},
		hostileCase{"broken UTF-8", extra("\"\xc3\x28\""), "x", wire.CodeInvalid},
		hostileCase{"half a surrogate", extra(`"\ud83d"`), "x", wire.CodeInvalid},
	)
	for wrong, value := range wrongTypes("") {
		add("type is a "+wrong, map[string]any{"type": value}, wire.CodeInvalid)
		all = append(all, hostileCase{"id is a " + wrong, r.frame(kind, map[string]any{"id": value}), "", wire.CodeInvalid})
	}
	add("unknown type", map[string]any{"type": kind.String() + "s?"}, wire.CodeUnknownType)
	for _, t := range r.traits {
		if !t.optional {
			add(t.path+" missing", map[string]any{t.path: absent{}}, wire.CodeInvalid)
			add(t.path+" null", map[string]any{t.path: nil}, wire.CodeInvalid)
		}
		for wrong, value := range wrongTypes(t.good) {
			add(t.path+" is a "+wrong, map[string]any{t.path: value}, wire.CodeInvalid)
		}
		if t.tooMuch != nil {
			code := t.code
			if code == "" {
				code = wire.CodeInvalid
			}
			add(t.path+" oversized", map[string]any{t.path: t.tooMuch}, code)
		}
		if t.path == "conversation" {
			add("foreign conversation", map[string]any{t.path: p.foreign}, wire.CodeForbidden)
			add("no such conversation", map[string]any{t.path: nowhere}, wire.CodeNotFound)
		}
	}
	return all
}

// Every type of frame, with everything that can be wrong with one: each is
// refused with its code on a link that stays up, and two others chat meanwhile.
func TestEveryFrameInEveryWrongWay(t *testing.T) {
	s := serve(t)
	alice := s.enter("alice")
	s.enter("bob")
	carol, dave := s.enter("carol"), s.enter("dave")
	p := place{token: s.token("alice"), direct: alice.open("bob"), foreign: carol.open("dave")}
	p.group = alice.ask("opened", func(id string) []byte { return wire.AppendCreate(nil, id, "theirs", "", []string{"bob"}) }).Conversation
	alice.send(p.direct, "first", "text")
	table, said := requests(p), 0
	for _, kind := range wire.Types() {
		t.Run(kind.String(), func(t *testing.T) {
			r, known := table[kind]
			if !known {
				t.Fatal("this type has no row in the table")
			}
			l := alice
			if kind == wire.Hello { // all of it before the link has one
				l = s.dial()
			}
			l.t, carol.t, dave.t = t, t, t
			for _, c := range r.cases(kind, p) {
				l.write([]byte(c.frame))
				if f := l.answer(c.id, "error"); f.Code != c.code || f.Message == "" || f.Retry {
					t.Errorf("%s: %+v", c.name, f)
				}
			}
			l.write([]byte(r.frame(kind, nil))) // the table's own frame is good
			l.answer("x", r.answer)
			for _, f := range r.traits {
				if f.other != nil {
					l.refused(r.frame(kind, map[string]any{f.path: f.other}), "x", wire.CodeConflict)
				}
			}
			said++
			carol.send(p.foreign, fmt.Sprint("k", said), kind.String())
			m := dave.push()
			if text, ok := m.Text(); !ok || text != kind.String() || m.Index != uint64(said) {
				t.Errorf("the others are disturbed: %+v", m)
			}
		})
	}
	if len(table) != len(wire.Types()) {
		t.Errorf("%d rows, %d types", len(table), len(wire.Types()))
	}
}

// Before hello every other frame ends the link, and so does a token that has
// expired.
func TestNoFrameIsTakenBeforeHello(t *testing.T) {
	s := serve(t)
	witness := s.enter("witness")
	keys, err := auth.Open(s.cfg.Data, func() time.Time { return time.Now().Add(-time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	stale, err := keys.Mint("alice", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	token := place{token: s.token("alice"), direct: nowhere, group: nowhere, foreign: nowhere}
	for kind, r := range requests(token) {
		if kind == wire.Hello {
			continue
		}
		l := s.dial()
		l.refused(r.frame(kind, nil), "x", wire.CodeUnauthenticated)
		l.closed(wire.CloseUnauthenticated)
		witness.ping()
	}
	l := s.dial()
	l.refused(requests(place{token: stale})[wire.Hello].frame(wire.Hello, nil), "x", wire.CodeUnauthenticated)
	l.closed(wire.CloseUnauthenticated)
	witness.ping()
}
