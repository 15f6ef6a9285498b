package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const conv = "0192f0c1-7b1e-7c3a-9d2f-0123456789ab"

var convID = [16]byte{0x01, 0x92, 0xf0, 0xc1, 0x7b, 0x1e, 0x7c, 0x3a, 0x9d, 0x2f, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab}

func b(s string) []byte { return []byte(s) }

func TestEveryRequestIsRead(t *testing.T) {
	tests := []struct {
		line string
		want Frame
	}{
		{`{"type":"hello","id":"1","token":"a.b.c","device":"laptop-1"}`,
			Frame{Type: Hello, ID: b("1"), Token: b("a.b.c"), Device: b("laptop-1")}},
		{`{"type":"open","id":"2","with":"bob"}`, Frame{Type: Open, ID: b("2"), With: b("bob")}},
		{`{"type":"send","id":"3","conversation":"` + conv + `","key":"a1","after":"a0","content":{"type":"text","text":"hi"}}`,
			Frame{Type: Send, ID: b("3"), Conversation: convID, Key: b("a1"), Predecessor: b("a0"), Kind: "text", Text: b("hi")}},
		{`{"type":"send","id":"3","conversation":"` + conv + `","key":"a1","content":{"type":"text","text":""}}`,
			Frame{Type: Send, ID: b("3"), Conversation: convID, Key: b("a1"), Kind: "text", Text: b("")}},
		{`{"type":"history","id":"4","conversation":"` + conv + `","before":6,"limit":50}`,
			Frame{Type: History, ID: b("4"), Conversation: convID, Before: 6, Limit: 50}},
		{`{"type":"history","id":"4","conversation":"` + conv + `","after":0}`,
			Frame{Type: History, ID: b("4"), Conversation: convID, HasAfter: true, Limit: 50}},
		{`{"type":"history","id":"4","conversation":"` + conv + `"}`,
			Frame{Type: History, ID: b("4"), Conversation: convID, Limit: 50}},
		{`{"type":"inbox","id":"5","after":17,"limit":500}`,
			Frame{Type: Inbox, ID: b("5"), After: 17, HasAfter: true, Limit: 500}},
		{`{"type":"list","id":"6","cursor":"","limit":1}`, Frame{Type: List, ID: b("6"), Cursor: b(""), Limit: 1}},
		{`{"type":"presence","id":"9","users":["bob","carol"],"watch":true}`,
			Frame{Type: Presence, ID: b("9"), Users: []string{"bob", "carol"}, Watch: true}},
		{`{"type":"presence","id":"9","users":["bob"],"watch":false}`, Frame{Type: Presence, ID: b("9"), Users: []string{"bob"}}},
		{`{"type":"list","id":"6"}`, Frame{Type: List, ID: b("6"), Limit: 50}},
		{`{"type":"read","id":"7","conversation":"` + conv + `","index":9007199254740991}`,
			Frame{Type: Read, ID: b("7"), Conversation: convID, Index: MaxIndex}},
		{`{"type":"ping","id":"8"}`, Frame{Type: Ping, ID: b("8")}},
	}
	var d Decoder
	for _, tt := range tests {
		var f Frame
		if err := d.Next([]byte(tt.line), &f); err != nil {
			t.Errorf("%s: %v", tt.line, err)
		} else if diff := cmp.Diff(tt.want, f); diff != "" {
			t.Errorf("%s: %s", tt.line, diff)
		}
	}
}

func TestJSONIsReadAsPromised(t *testing.T) {
	ping := func(id string) Frame { return Frame{Type: Ping, ID: b(id)} }
	tests := []struct {
		name, line string
		want       Frame
	}{
		{"white space", " \t{ \"type\" :\r\"ping\" ,\"id\": \"a\" } ", ping("a")},
		{"the last of two equal keys wins", `{"type":"hello","id":"a","type":"ping","id":"b"}`, ping("b")},
		{"other fields are ignored", `{"type":"ping","id":"a","token":5,"x":{"y":[1,-2.5e+3,null,true]},"z":"\u00e9"}`, ping("a")},
		{"keys are compared with their case", `{"type":"ping","Type":"open","id":"a","ID":7}`, ping("a")},
		{"keys may be escaped", `{"\u0074ype":"p\u0069ng","id":"a\\\"\/"}`, ping(`a\"/`)},
		{"deep, but not too deep", `{"type":"ping","id":"a","x":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, ping("a")},
		{"every escape", `{"type":"send","id":"1","conversation":"` + conv + `","key":"k","content":{"text":"\"\\\/\b\f\n\r\t\u0000\u00e9\u20AC\ud83d\uDE00é😀","type":"text"}}`,
			Frame{Type: Send, ID: b("1"), Conversation: convID, Key: b("k"), Kind: "text", Text: b("\"\\/\b\f\n\r\t\x00é€😀é😀")}},
		{"the last content counts as a whole", `{"type":"send","id":"1","content":{"type":"text","text":"a"},"conversation":"` + conv + `","key":"k","after":null,"content":{"type":"x","text":"b","type":"text","content":{"text":3}}}`,
			Frame{Type: Send, ID: b("1"), Conversation: convID, Key: b("k"), Kind: "text", Text: b("b")}},
	}
	var d Decoder
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f Frame
			if err := d.Next([]byte(tt.line), &f); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, f); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFaultyFramesAreRefusedByName(t *testing.T) {
	send := func(fields string) string { return `{"type":"send","id":"1",` + fields + `}` }
	text := `"content":{"type":"text","text":"a"}`
	tests := []struct {
		line  string
		code  Code
		field string
		id    string // that must be readable all the same
	}{
		{``, CodeInvalid, "", ""},
		{`null`, CodeInvalid, "", ""},
		{`[]`, CodeInvalid, "", ""},
		{`{`, CodeInvalid, "", ""},
		{`{"type":"ping","id":"1"`, CodeInvalid, "", "1"},
		{`{"type":"ping","id":"1"} x`, CodeInvalid, "", "1"},
		{`{"type":"ping","id":"1",}`, CodeInvalid, "", "1"},
		{`{"type":"ping","id":"1","x":01}`, CodeInvalid, "", "1"},
		{`{"type":"ping","id":"1","x":nul}`, CodeInvalid, "", "1"},
		{"{\"type\":\"ping\",\"id\":\"1\",\"x\":\"a\tb\"}", CodeInvalid, "", "1"},
		{`{"type":"ping","id":"1","x":"\x"}`, CodeInvalid, "", "1"},
		{`{"type":"ping","id":"1","x":"\u12g4"}`, CodeInvalid, "", "1"},
		{"{\"type\":\"ping\",\"id\":\"1\",\"x\":\"\xff\"}", CodeInvalid, "", "1"},
		{`{"type":"ping","id":"1","x":"\ud800"}`, CodeInvalid, "", "1"},
		{`{"type":"ping","id":"1","x":"\ud800\u0041"}`, CodeInvalid, "", "1"},
		{`{"type":"ping","id":"1","x":"\udc00"}`, CodeInvalid, "", "1"},
		{`{"type":"ping","id":"1","x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, CodeInvalid, "", "1"},
		{strings.Repeat(" ", MaxMessage+1), CodeTooLarge, "", ""},
		{`{"id":"1"}`, CodeInvalid, "type", "1"},
		{`{"type":7,"id":"1"}`, CodeInvalid, "type", "1"},
		{`{"type":"dance","id":"1"}`, CodeUnknownType, "type", "1"},
		{`{"type":"dance"}`, CodeUnknownType, "type", ""},
		{`{"type":"ping"}`, CodeInvalid, "id", ""},
		{`{"type":"ping","id":""}`, CodeInvalid, "id", ""},
		{`{"type":"ping","id":"é"}`, CodeInvalid, "id", ""},
		{`{"type":"ping","id":"` + strings.Repeat("i", 65) + `"}`, CodeInvalid, "id", ""},
		{`{"type":"hello","id":"1","device":"d"}`, CodeInvalid, "token", "1"},
		{`{"type":"hello","id":"1","token":"t","device":"a b"}`, CodeInvalid, "device", "1"},
		{`{"type":"open","id":"1","with":""}`, CodeInvalid, "with", "1"},
		{send(`"key":"k",` + text), CodeInvalid, "conversation", "1"},
		{send(`"conversation":"` + strings.ToUpper(conv) + `","key":"k",` + text), CodeInvalid, "conversation", "1"},
		{send(`"conversation":"` + conv + `","key":"a\"b",` + text), CodeInvalid, "key", "1"},
		{send(`"conversation":"` + conv + `","key":"k","after":"",` + text), CodeInvalid, "after", "1"},
		{send(`"conversation":"` + conv + `","key":"k","after":7,` + text), CodeInvalid, "after", "1"},
		{send(`"conversation":"` + conv + `","key":"k"`), CodeInvalid, "content", "1"},
		{send(`"conversation":"` + conv + `","key":"k",` + text + `,"content":"a"`), CodeInvalid, "content", "1"},
		{send(`"conversation":"` + conv + `","key":"k","content":{"text":"a"}`), CodeInvalid, "content.type", "1"},
		{send(`"conversation":"` + conv + `","key":"k","content":{"type":"void"}`), CodeInvalid, "content.type", "1"},
		{send(`"conversation":"` + conv + `","key":"k","content":{"type":"text"}`), CodeInvalid, "content.text", "1"},
		{`{"type":"history","id":"1","conversation":"` + conv + `","before":1,"after":1}`, CodeInvalid, "before", "1"},
		{`{"type":"history","id":"1","conversation":"` + conv + `","before":0}`, CodeInvalid, "before", "1"},
		{`{"type":"history","id":"1","conversation":"` + conv + `","limit":201}`, CodeInvalid, "limit", "1"},
		{`{"type":"inbox","id":"1"}`, CodeInvalid, "after", "1"},
		{`{"type":"inbox","id":"1","after":-1}`, CodeInvalid, "after", "1"},
		{`{"type":"inbox","id":"1","after":1.0}`, CodeInvalid, "after", "1"},
		{`{"type":"inbox","id":"1","after":9007199254740992}`, CodeInvalid, "after", "1"},
		{`{"type":"inbox","id":"1","after":1,"limit":501}`, CodeInvalid, "limit", "1"},
		{`{"type":"list","id":"1","cursor":"` + strings.Repeat("c", 513) + `"}`, CodeInvalid, "cursor", "1"},
		{`{"type":"presence","id":"1"}`, CodeInvalid, "users", "1"},
		{`{"type":"presence","id":"1","users":"bob"}`, CodeInvalid, "users", "1"},
		{`{"type":"presence","id":"1","users":["bob",7]}`, CodeInvalid, "users", "1"},
		{`{"type":"presence","id":"1","users":["b b"]}`, CodeInvalid, "users", "1"},
		{`{"type":"presence","id":"1","users":[` + strings.Repeat(`"b",`, MaxPresence) + `"b"]}`, CodeInvalid, "users", "1"},
		{`{"type":"presence","id":"1","users":["bob"],"watch":"true"}`, CodeInvalid, "watch", "1"},
		{`{"type":"presence","id":"1","users":["bob"],"watch":1}`, CodeInvalid, "watch", "1"},
		{`{"type":"read","id":"1","conversation":"` + conv + `","index":0}`, CodeInvalid, "index", "1"},
	}
	var d Decoder
	for _, tt := range tests {
		var f Frame
		var e *Error
		if err := d.Next([]byte(tt.line), &f); !errors.As(err, &e) {
			t.Errorf("%.120q: accepted", tt.line)
		} else if e.Code != tt.code || e.Field != tt.field || string(f.ID) != tt.id {
			t.Errorf("%.120q: got %s, field %q, id %q; want %s, %q, %q", tt.line, e.Code, e.Field, f.ID, tt.code, tt.field, tt.id)
		} else if !strings.Contains(e.Message, strings.TrimPrefix(e.Field, "content.")) || e.Message == "" {
			t.Errorf("%.120q: the message %q does not name %s", tt.line, e.Message, e.Field)
		}
	}
}

func TestViewsOfOneFrameDoNotDisturbEachOther(t *testing.T) {
	var d Decoder
	var f Frame
	long := strings.Repeat(`\n\"é`, 2000)
	line := `{"type":"send","\u0069d":"i\u0064","conversation":"` + conv + `","key":"\u006b1","after":"\u006b0","content":{"type":"text","text":"` + long + `"}}`
	for range 3 {
		if err := d.Next([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		if string(f.ID) != "id" || string(f.Key) != "k1" || string(f.Predecessor) != "k0" || string(f.Text) != strings.Repeat("\n\"é", 2000) {
			t.Fatalf("got id %q, key %q, after %q", f.ID, f.Key, f.Predecessor)
		}
	}
	if err := d.Next([]byte(`{"type":"ping","id":"1"}`), &f); err != nil {
		t.Fatal(err)
	}
	if cap(d.scratch) > maxScratch {
		t.Errorf("a quiet connection keeps %d bytes", cap(d.scratch))
	}
}

func TestAMessageIsSplitIntoFrames(t *testing.T) {
	l, err := Split([]byte("\n{a}\n \t\r\n{b}\r\n{c}"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line, ok := l.Next(); ok; line, ok = l.Next() {
		got = append(got, string(line))
	}
	if diff := cmp.Diff([]string{"{a}", "{b}\r", "{c}"}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Split([]byte(strings.Repeat("x\n", 256) + strings.Repeat("\n", 300))); err != nil {
		t.Errorf("256 frames and blank lines: %v", err)
	}
	if _, err := Split([]byte(strings.Repeat("x\n", 257))); !errors.Is(err, ErrTooManyFrames) {
		t.Errorf("257 frames: %v", err)
	}
	if _, err := Split(make([]byte, MaxMessage+1)); !errors.Is(err, ErrMessageTooLarge) {
		t.Errorf("too large: %v", err)
	}
}
