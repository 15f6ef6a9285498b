package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode/utf16"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// pieces are what texts are made of: words, scripts, marks that combine, what
// JSON has to escape and what a careless codec or HTML page trips over.
var pieces = []string{
	"hello", "order", "the parcel", "tomorrow", "size", "blue", "refund", "thanks", "where", "invoice", "delivery", "is it in stock?",
	"你好", "请问有货吗", "ありがとう", "안녕하세요", "Привет", "Ζεύς", "שלום", "مرحبا", "ग्राहक", "สวัสดี",
	"😀", "👩‍👩‍👧‍👦", "🇫🇷", "e\u0301", "\u202e", "\ufeff", "\u2028", "\u2029", "\u0000", "\u0001", "\u001f", "\u007f", "\U0010ffff", "\ufffd",
	"\"", "\\", "\\u0041", "\\\"", "\n", "\r\n", "\t", "\b\f", "/", "</script>", "<b>&amp;", "{}", "[]", "null", "%s", "'; --",
}

// text makes a text that differs from every other: mark comes first. Most are
// some words, some are long; none is over limit bytes.
func text(rng *rand.Rand, mark string, limit int) string {
	size := rng.IntN(180)
	switch p := rng.IntN(200); {
	case p == 0:
		size = limit - len(mark) - 1
	case p < 8:
		size = rng.IntN(4096)
	}
	size = min(size, limit-len(mark)-1)
	var b strings.Builder
	b.WriteString(mark)
	for left := size; left > 0; {
		piece := pieces[rng.IntN(len(pieces))]
		if left < len(piece)+1 {
			b.WriteString(strings.Repeat("x", left))
			break
		}
		b.WriteString(" " + piece)
		left -= len(piece) + 1
	}
	return b.String()
}

// encode makes the raw frame in one of the ways that JSON allows.
func encode(rng *rand.Rand, f trail.Frame) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(rng.IntN(2) == 0)
	if err := enc.Encode(f); err != nil { // strings and numbers always encode
		panic(err)
	}
	raw := bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
	if rng.IntN(4) == 0 {
		raw = escapeAll(raw)
	}
	return raw
}

// escapeAll writes everything beyond ASCII as \u escapes, with surrogate pairs.
func escapeAll(raw []byte) []byte {
	out := make([]byte, 0, len(raw)*2)
	for _, r := range string(raw) {
		switch {
		case r < 0x80:
			out = append(out, byte(r))
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04X\u%04x`, hi, lo)
		}
	}
	return out
}
