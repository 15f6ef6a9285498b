package bench

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testConversation = "0190a0b0-0000-7000-8000-0123456789ab"

func TestASendFrameIsWhatTheProtocolSays(t *testing.T) {
	first := messageKey{conv: 3, seq: 0, at: 12}
	key := messageKey{conv: 3, seq: 1, at: 345}
	b := appendSend(nil, testConversation, key, first.appendTo(nil), []byte("good morning"))
	var got, want map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	text := string(key.appendTo(nil))
	want = map[string]any{
		"type": "send", "id": text, "conversation": testConversation, "key": text,
		"after":   string(first.appendTo(nil)),
		"content": map[string]any{"type": "text", "text": "good morning"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("send frame (-want +got):\n%s", diff)
	}
	alone := appendSend(nil, testConversation, first, nil, []byte("x"))
	if err := json.Unmarshal(alone, &got); err != nil {
		t.Fatalf("%s: %v", alone, err)
	}
}

func TestRequestsAreWhatTheProtocolSays(t *testing.T) {
	for _, c := range []struct {
		got  []byte
		want string
	}{
		{appendCreate(nil, 7, "g1", []string{"ann", "bob"}), `{"type":"create","id":"7","key":"g1","title":"Bench","members":["ann","bob"]}`},
		{appendCreate(nil, 0, "g1", nil), `{"type":"create","id":"0","key":"g1","title":"Bench","members":[]}`},
		{appendChange(nil, 8, "c1", []string{"ann"}), `{"type":"change","id":"8","conversation":"c1","add":["ann"]}`},
		{appendList(nil, []byte("x_-"), 200), `{"type":"list","id":"list","cursor":"x_-","limit":200}`},
		{appendPull(nil, 17, 500), `{"type":"inbox","id":"inbox","after":17,"limit":500}`},
	} {
		if string(c.got) != c.want || !json.Valid(c.got) {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}

func TestRowsAreReadOneByOne(t *testing.T) {
	var f frame
	page := `{"type":"entries","id":"5","entries": [{"inbox":{"index":3,"pre":2},"key":"]}"},{"conversation":"c","unread":4}],"newest":9}`
	if err := scanFrame([]byte(page), &f); err != nil || f.newest != 9 {
		t.Fatalf("newest %d, %v", f.newest, err)
	}
	var got []frame
	keep := func(row *frame) error { got = append(got, *row); return nil }
	if err := eachRow(f.rows, keep); err != nil {
		t.Fatal(err)
	}
	want := []frame{{inboxIndex: 3, inboxPre: 2, key: []byte("]}")}, {conversation: []byte("c"), unread: 4}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(frame{})); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	got = nil
	if err := eachRow([]byte(" [ ] "), keep); err != nil || got != nil {
		t.Errorf("no rows: %v, %v", got, err)
	}
	for _, in := range []string{``, `[`, `[{}`, `[{},]`, `[{} {}]`, `{}`, `[1]`, `[{"index":"x"}]`} {
		if err := eachRow([]byte(in), keep); err == nil {
			t.Errorf("%q was taken for rows", in)
		}
	}
}

func TestScanReadsTheFramesOfTheProtocol(t *testing.T) {
	for _, c := range []struct {
		in   string
		want frame
	}{
		{
			`{"type":"sent","id":"3","conversation":"c1","key":"a1","message":"m","index":5,"n":4,"at":17}`,
			frame{kind: []byte("sent"), id: []byte("3"), conversation: []byte("c1"), key: []byte("a1"), index: 5, n: 4},
		},
		{
			`{"type":"msg","inbox":{"index":18,"pre":17},"conversation":"c1","index":5,"pre":4,"n":5,"from":"alice","key":"a1","at":1,"content":{"type":"text","text":"say \"hi\"\\"}}`,
			frame{kind: []byte("msg"), inboxIndex: 18, inboxPre: 17, conversation: []byte("c1"), index: 5, pre: 4, n: 5,
				key: []byte("a1"), content: []byte("text"), text: []byte(`say \"hi\"\\`)},
		},
		{
			` { "at" : [1, {"x":"}"}, null] , "index" : 7 , "type" : "own" } `,
			frame{kind: []byte("own"), index: 7},
		},
		{
			`{"type":"error","id":"3","code":"overloaded","message":"Busy.","retry":true,"retry_ms":500}`,
			frame{kind: []byte("error"), id: []byte("3"), code: []byte("overloaded"), retryMS: 500},
		},
		{
			`{"type":"welcome","id":"hello","user":"alice","epoch":"e","inbox":{"index":17},"heartbeat_ms":25000,"max_text_bytes":8192,"max_inflight":256,"at":1}`,
			frame{kind: []byte("welcome"), id: []byte("hello"), inboxIndex: 17, heartbeatMS: 25000, maxInflight: 256},
		},
		{`{}`, frame{}},
	} {
		var got frame
		if err := scanFrame([]byte(c.in), &got); err != nil {
			t.Errorf("%s: %v", c.in, err)
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(frame{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.in, diff)
		}
	}
}

func TestScanRefusesWhatIsNoFrame(t *testing.T) {
	for _, in := range []string{
		``, `{`, `[]`, `{"type":"msg"`, `{"type":"msg"}}`, `{"type"}`, `{"index":-1}`, `{"index":"5"}`,
		`{"type":5}`, `{"inbox":5}`, `{"a":}`, `{"index":99999999999999999999}`, `{"type":"x\"}`, `{"a":1,}`,
	} {
		var f frame
		if err := scanFrame([]byte(in), &f); err == nil {
			t.Errorf("%q was taken for a frame: %+v", in, f)
		}
	}
}

// Whatever encoding/json writes with the protocol's types, the scanner reads
// the same, and no input makes it fail otherwise than with its error.
func FuzzScanAgreesWithJSON(f *testing.F) {
	f.Add([]byte(`{"type":"msg","inbox":{"index":18,"pre":17},"conversation":"c","index":5,"content":{"text":"x"}}`))
	f.Add([]byte(`{"type":"error","retry":true,"message":"\u00e4\\","code":"conflict"}`))
	f.Add([]byte(`{"a":[{},{"b":-1.5e+3}],"n":12,"inbox":{"x":null}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var got frame
		_ = scanFrame(in, &got)
		var object map[string]any
		if json.Unmarshal(in, &object) != nil || object == nil {
			return
		}
		canonical, err := json.Marshal(object) // without the repeated fields that in may have
		if err != nil {
			t.Fatal(err)
		}
		if !hasProtocolTypes(object, topLevel) {
			return
		}
		if err := scanFrame(canonical, &got); err != nil {
			t.Fatalf("%s: %v", canonical, err)
		}
		if kind, ok := object["type"].(string); ok && !bytes.ContainsRune(got.kind, '\\') && string(got.kind) != kind {
			t.Fatalf("%s: type %q", canonical, got.kind)
		}
		if index, ok := object["index"].(float64); ok && got.index != int64(index) {
			t.Fatalf("%s: index %d", canonical, got.index)
		}
	})
}

// hasProtocolTypes reports whether the fields that the scanner looks at have
// the types that the protocol gives them.
func hasProtocolTypes(object map[string]any, at level) bool {
	var f frame
	for name, v := range object {
		switch {
		case at == topLevel && (name == "inbox" || name == "content"):
			below := inboxLevel
			if name == "content" {
				below = contentLevel
			}
			if o, ok := v.(map[string]any); !ok || !hasProtocolTypes(o, below) {
				return false
			}
		case f.stringField(at, []byte(name)) != nil:
			if _, ok := v.(string); !ok {
				return false
			}
		case f.intField(at, []byte(name)) != nil:
			if n, ok := v.(float64); !ok || n < 0 || n >= 1<<53 || n != math.Trunc(n) || math.Signbit(n) {
				return false
			}
		}
	}
	return true
}
