package wire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// kind is what a JSON value is; none is a field that was not there.
type kind uint8

const (
	none kind = iota
	null
	boolean
	number
	str
	array
	object
)

// value is a scanned JSON value: for strings the span between the quotes, for
// numbers and the rest the span of their text.
type value struct {
	start, end int32
	kind       kind
	escaped    bool // a string with a backslash in it
}

// scanner walks over one JSON text. A method that returns false has set why.
type scanner struct {
	b   []byte
	i   int
	why string
}

func (s *scanner) fail(why string) bool {
	s.why = why
	return false
}

// peek skips white space and returns the byte there, 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// any scans a value of any kind; depth is how many objects and arrays are
// open around it.
func (s *scanner) any(v *value, depth int) bool {
	switch c := s.peek(); {
	case c == '"':
		return s.str(v)
	case c == '-' || '0' <= c && c <= '9':
		return s.number(v)
	case c == '{' || c == '[':
		return s.nested(v, c, depth+1)
	case c == 't':
		return s.literal(v, boolean, "true")
	case c == 'f':
		return s.literal(v, boolean, "false")
	case c == 'n':
		return s.literal(v, null, "null")
	default:
		return s.fail("has a value that is not JSON")
	}
}

func (s *scanner) literal(v *value, k kind, text string) bool {
	if len(s.b)-s.i < len(text) || string(s.b[s.i:s.i+len(text)]) != text {
		return s.fail("has a value that is not JSON")
	}
	*v = value{kind: k, start: int32(s.i), end: int32(s.i + len(text))}
	s.i += len(text)
	return true
}

// str scans a string; the opening quote is at s.i.
func (s *scanner) str(v *value) bool {
	s.i++
	start, escaped, high := s.i, false, uint64(0)
	for {
		end, h := plain(s.b, s.i)
		high |= h
		if end == len(s.b) {
			return s.fail("has a string without an end")
		}
		s.i = end
		if c := s.b[end]; c == '"' {
			break
		} else if c != '\\' {
			return s.fail("has a control character in a string")
		}
		escaped = true
		n := escapeLen(s.b[end:])
		if n == 0 {
			return s.fail("has a bad escape in a string")
		}
		s.i += n
	}
	if high != 0 && !utf8.Valid(s.b[start:s.i]) {
		return s.fail("is not valid UTF-8")
	}
	*v = value{kind: str, start: int32(start), end: int32(s.i), escaped: escaped}
	s.i++
	return true
}

// plain returns the first place at or after i with a quote, a backslash or a
// control character, len(b) if there is none, and a non-zero high if a byte
// above 0x7f lies before it. (It may also say so for one shortly after it.)
func plain(b []byte, i int) (end int, high uint64) {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		// A byte's top bit is set in hit if the byte is one of those. A borrow
		// can only spoil bytes above a true hit, and the lowest is taken.
		hit := ((w - ones*0x20) | (w ^ ones*'"' - ones) | (w ^ ones*'\\' - ones)) & ^w & tops
		high |= w & tops
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)/8, high
		}
	}
	for ; i < len(b); i++ {
		c := b[i]
		if c < 0x20 || c == '"' || c == '\\' {
			return i, high
		}
		high |= uint64(c & 0x80)
	}
	return i, high
}

// number scans a number by the grammar of JSON.
func (s *scanner) number(v *value) bool {
	start, b := s.i, s.b
	if b[s.i] == '-' {
		s.i++
	}
	ok := true
	if s.i < len(b) && b[s.i] == '0' {
		s.i++
	} else {
		ok = s.digits()
	}
	if ok && s.i < len(b) && b[s.i] == '.' {
		s.i++
		ok = s.digits()
	}
	if ok && s.i < len(b) && b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(b) && (b[s.i] == '+' || b[s.i] == '-') {
			s.i++
		}
		ok = s.digits()
	}
	if !ok {
		return s.fail("has a number that is not JSON")
	}
	*v = value{kind: number, start: int32(start), end: int32(s.i)}
	return true
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}

// nested scans an object or array that nobody asked for.
func (s *scanner) nested(v *value, open byte, depth int) bool {
	if depth > MaxDepth {
		return s.fail("is nested too deep")
	}
	start, k, end := s.i, object, byte('}')
	if open == '[' {
		k, end = array, ']'
	}
	s.i++
	var item value
	for first := true; ; first = false {
		more, ok := s.item(first, end)
		if !ok {
			return false
		}
		if !more {
			*v = value{kind: k, start: int32(start), end: int32(s.i)}
			return true
		}
		if k == object && !s.key(&item) || !s.any(&item, depth) {
			return false
		}
	}
}

// item moves to the next item of an object or array, or past its end.
func (s *scanner) item(first bool, end byte) (more, ok bool) {
	c := s.peek()
	switch {
	case c == end:
		s.i++
		return false, true
	case first:
		return true, true
	case c != ',':
		return false, s.fail("is not JSON: a comma or an end is missing")
	}
	s.i++
	if s.peek() == end {
		return false, s.fail("is not JSON: a comma before the end")
	}
	return true, true
}

// key scans a key and its colon.
func (s *scanner) key(v *value) bool {
	if s.peek() != '"' {
		return s.fail("is not JSON: a key is missing")
	}
	if !s.str(v) {
		return false
	}
	if s.peek() != ':' {
		return s.fail("is not JSON: a colon is missing")
	}
	s.i++
	return true
}
