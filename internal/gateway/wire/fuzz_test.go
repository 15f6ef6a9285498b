package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func FuzzDecode(f *testing.F) {
	for _, frame := range goldens() {
		f.Add(frame)
	}
	for _, seed := range []string{
		`{"type":"ping","id":"a","x":[1,-2.5e+3,{"y":null}],"z":"\ud83d\ude00"}`,
		`{"type":"ping","id":"a","x":"\\ud800"}`, `{"type":"ping","id":"a","x":"\ud800"}`,
		`{"\u0074ype":"p\u0069ng","id":"\"\\"}`, `{"type":"ping","id":"a","id":null}`, `{}`, ` null`, `{"type":"ping","id":"1"}{}`,
		`{"type":"send","content":{},"content":{"type":"text","text":"\u0000"},"id":"1","key":"k","conversation":"` + conv + `"}`,
		`{"type":"inbox","id":"5","after":1e3}`, `{"type":"inbox","id":"5","after":9007199254740992}`,
		`{"type":"ping","id":"a","x":` + strings.Repeat(`[`, 32) + strings.Repeat(`]`, 32) + `}`,
	} {
		f.Add([]byte(seed))
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		var got Frame
		err := d.Next(line, &got)
		if !bytes.Equal(before, line) {
			t.Fatal("the line was changed")
		}
		want, code, field, ok := oracle(line)
		if ok != (err == nil) {
			t.Fatalf("decoder says %v, oracle %v (%s %s)", err, ok, code, field)
		}
		if ok {
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatal(diff)
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) || e.Code != code || e.Field != field {
			t.Fatalf("decoder says %#v, oracle %s %q", err, code, field)
		}
		if json.Valid(line) && field != "" && !bytes.Equal(got.ID, want.ID) {
			t.Fatalf("decoder read the id %q, oracle %q", got.ID, want.ID)
		}
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "hi", "\"\\\x00\n\u2028<&>", "日本語 😀", words, words + "\x1f" + words} {
		f.Add(s)
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		content := AppendTextContent(nil, []byte(text))
		shown := Shown{Content: content}
		if got, ok := shown.Text(); !ok || got != text {
			t.Fatalf("%q came back as %q through %s", text, got, content)
		}
		if bytes.IndexByte(content, '\n') >= 0 {
			t.Fatalf("content is not on one line: %q", content)
		}
		line := AppendSend(nil, "1", conv, "k", "", text)
		var frame Frame
		if len(line) > MaxMessage {
			return
		}
		if err := d.Next(line, &frame); err != nil || string(frame.Text) != text {
			t.Fatalf("%q was sent and read as %q, %v", text, frame.Text, err)
		}
		if again := AppendTextContent(nil, frame.Text); !bytes.Equal(again, content) {
			t.Fatalf("two spellings of one text: %s and %s", content, again)
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("a\n\n b \r\n"))
	f.Add([]byte(strings.Repeat("\n", 300) + strings.Repeat("x\n", 257)))
	f.Fuzz(func(t *testing.T, message []byte) {
		var want [][]byte
		for _, line := range bytes.Split(message, newline) {
			if len(bytes.Trim(line, " \t\r")) > 0 {
				want = append(want, line)
			}
		}
		l, err := Split(message)
		if (err == nil) != (len(message) <= MaxMessage && len(want) <= MaxFrames) {
			t.Fatalf("%d frames in %d bytes: %v", len(want), len(message), err)
		}
		for err == nil && len(want) > 0 {
			line, ok := l.Next()
			if !ok || !bytes.Equal(line, want[0]) {
				t.Fatalf("got %q, %v; want %q", line, ok, want[0])
			}
			want = want[1:]
		}
	})
}
