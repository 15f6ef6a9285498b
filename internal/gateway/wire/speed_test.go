package wire

import (
	"strings"
	"testing"
)

var (
	words    = strings.Repeat("harbour linen 42 quiet ", 9)[:200]
	sendLine = AppendSend(nil, "123456", conv, "c-000123456", "c-000123455", words)
	pingLine = AppendPing(nil, "8")
	shown    = Message{Conversation: convID, Index: 123456, Pre: 123455, N: 123400, ID: convID, From: "alice",
		Key: "c-000123456", At: 1790000000000, Content: AppendTextContent(nil, []byte(words))}
	stored = Sent{Conversation: convID, Key: []byte("c-000123456"), ID: convID, Index: 123456, N: 123400, At: 1790000000000}
)

func TestTheHotPathDoesNotAllocate(t *testing.T) {
	var d Decoder
	var f Frame
	dst := make([]byte, 0, 4096)
	text, id := []byte(words), []byte("123456")
	escaped := AppendSend(nil, "1", conv, "k", "", "a \"quoted\"\nline")
	for name, step := range map[string]func(){
		"send":         func() { mustDecode(t, &d, sendLine, &f) },
		"send escaped": func() { mustDecode(t, &d, escaped, &f) },
		"ping":         func() { mustDecode(t, &d, pingLine, &f) },
		"content":      func() { dst = AppendTextContent(dst[:0], text) },
		"sent":         func() { dst = AppendSent(dst[:0], id, &stored) },
		"msg":          func() { dst = AppendMsgTail(AppendMsgHead(dst[:0], 7, 6), &shown) },
		"own":          func() { dst = AppendOwn(dst[:0], 7, 6, convID, 9) },
		"pong":         func() { dst = AppendPong(dst[:0], id, 7, 0, 1790000000000) },
		"error":        func() { dst = AppendError(dst[:0], id, CodeOverloaded, "The server is busy.", 500) },
	} {
		if n := testing.AllocsPerRun(100, step); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func mustDecode(t testing.TB, d *Decoder, line []byte, f *Frame) {
	if err := d.Next(line, f); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, line := range map[string][]byte{"send": sendLine, "ping": pingLine} {
		b.Run(name, func(b *testing.B) {
			var d Decoder
			var f Frame
			b.ReportAllocs()
			for b.Loop() {
				mustDecode(b, &d, line, &f)
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	dst := make([]byte, 0, 4096)
	text, id := []byte(words), []byte("123456")
	for name, step := range map[string]func(){
		"content": func() { dst = AppendTextContent(dst[:0], text) },
		"sent":    func() { dst = AppendSent(dst[:0], id, &stored) },
		"msgHead": func() { dst = AppendMsgHead(dst[:0], 123456, 123455) },
		"msgTail": func() { dst = AppendMsgTail(dst[:0], &shown) },
		"own":     func() { dst = AppendOwn(dst[:0], 123456, 123455, convID, 99) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
		})
	}
}
