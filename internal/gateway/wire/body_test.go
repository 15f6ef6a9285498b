package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const aConversation = "3b9f2f60-7c41-8a55-9d0e-5f1c2a7b4e11"

func TestABodyIsReadLikeAFrame(t *testing.T) {
	var d Decoder
	for name, c := range map[string]struct {
		t     Type
		body  string
		out   Outside
		frame []byte
	}{
		"send": {
			Send, `{"key":"k","after":"j","content":{"type":"text","text":"hi \"\n"}}`, Outside{Conversation: aConversation},
			AppendSend(nil, "r", aConversation, "k", "j", "hi \"\n"),
		},
		"send, key outside": {
			Send, `{"content":{"type":"text","text":"hi"}}`, Outside{Conversation: aConversation, Key: "k"},
			AppendSend(nil, "r", aConversation, "k", "", "hi"),
		},
		"send, key in both": {
			Send, `{"key":"k","content":{"type":"text","text":"hi"}}`, Outside{Conversation: aConversation, Key: "k"},
			AppendSend(nil, "r", aConversation, "k", "", "hi"),
		},
		"another conversation in the body": {
			Read, `{"conversation":"00000000-0000-8000-8000-000000000000","index":5,"type":7,"id":[]}`, Outside{Conversation: aConversation},
			AppendRead(nil, "r", aConversation, 5),
		},
		"sign in": {
			Hello, `{"token":"other","device":"d","inbox":{"epoch":"e","index":3,"heads":4}}`, Outside{Token: "t"},
			AppendHelloAt(nil, "r", "t", "d", "e", 3, 4),
		},
		"open":   {Open, `{"with":"bob"}`, Outside{}, AppendOpen(nil, "r", "bob")},
		"create": {Create, `{"key":"g","title":"T","members":["a","b"]}`, Outside{}, AppendCreate(nil, "r", "g", "T", []string{"a", "b"})},
		"change": {Change, `{"add":["a"],"remove":[]}`, Outside{Conversation: aConversation}, AppendChange(nil, "r", aConversation, []string{"a"}, nil)},
	} {
		var got, want Frame
		if err := d.Body(c.t, []byte(c.body), c.out, &got); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := new(Decoder).Next(c.frame, &want); err != nil {
			t.Fatal(err)
		}
		want.ID = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestABodyThatIsWrongIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		t    Type
		body string
		out  Outside
		code Code
	}{
		"keys differ":       {Create, `{"key":"a"}`, Outside{Key: "b"}, CodeInvalid},
		"key of wrong type": {Create, `{"key":1}`, Outside{Key: "b"}, CodeInvalid},
		"no key":            {Create, `{}`, Outside{}, CodeInvalid},
		"nothing":           {Create, ``, Outside{Key: "b"}, CodeInvalid},
		"too large":         {Create, `{"x":"` + string(bytes.Repeat([]byte("x"), MaxMessage)) + `"}`, Outside{Key: "b"}, CodeTooLarge},
	} {
		var f Frame
		err := new(Decoder).Body(c.t, []byte(c.body), c.out, &f)
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswersAreTheFramesWithoutTheirHead(t *testing.T) {
	for want, frame := range map[string][]byte{
		`{"conversation":"` + aConversation + `"}`: AppendOpened(nil, nil, mustUUID(aConversation)),
		`{"entries":[],"newest":3}`:                AppendEntries(nil, nil, nil, 3),
		`{"heads":[]}`:                             AppendHeads(nil, nil, nil),
	} {
		if got := string(Bare(frame)); got != want {
			t.Errorf("%s instead of %s", got, want)
		}
	}
	if got := string(AppendHeadSum(Bare(AppendEntries(nil, nil, nil, 3)), 7)); got != `{"entries":[],"newest":3,"heads":7}` {
		t.Error(got)
	}
	if got := string(Bare(nil)); got != "" {
		t.Error(got)
	}
}

func mustUUID(text string) [16]byte {
	id, ok := ParseUUID(text)
	if !ok {
		panic(text)
	}
	return id
}

// FuzzBody: a body is taken exactly if the frame around it is, and then says the
// same.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{"key":"k","content":{"type":"text","text":"hi"}}`, `{"key":"k","after":null,"content":{"type":"text","text":"\u00e9"},"x":[{}]}`,
		`{ }`, `{"key":"}"`, `{"a":{}`, "{\"key\":\"\xff\"}", `[]`, `{"content":{"type":"text","text":"}"},"key":"k"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want Frame
		err := new(Decoder).Body(Send, body, Outside{Conversation: aConversation}, &got)
		trimmed := bytes.TrimRight(body, " \t\r\n")
		if len(body) > MaxMessage-200 || len(trimmed) == 0 || trimmed[len(trimmed)-1] != '}' {
			return
		}
		tail := `,"type":"send","id":"r","conversation":"` + aConversation + `"}`
		framed := append(append([]byte{}, trimmed[:len(trimmed)-1]...), tail...)
		ferr := new(Decoder).Next(framed, &want)
		if err == nil && ferr != nil {
			t.Fatalf("taken, but as a frame: %v", ferr)
		}
		if err == nil {
			want.ID = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}
