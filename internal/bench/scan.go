package bench

import (
	"bytes"
	"errors"
	"math"
)

// errFrame is what a frame is called that is not one JSON object.
var errFrame = errors.New("not a JSON object on one line")

// frame holds the fields of a received frame that the generator looks at. The
// slices point into the frame's bytes, unescaped: none of the fields holds
// anything to unescape unless the server errs, and then it does not compare.
type frame struct {
	kind, id, conversation, key, code, text, token, with []byte
	content, cursor                                      []byte // content: its type
	index, pre, n, retryMS, heartbeatMS, maxInflight     int64
	inboxIndex, inboxPre, heads, newest, unread          int64
	// rows is the array of a list or of a page of the inbox, as it came; see
	// eachRow.
	rows []byte
}

// scanFrame reads one frame. It takes any JSON object in which the fields of
// the protocol have the types of the protocol, in any order; it skips what it
// does not know, without checking it further than it must to find its end.
func scanFrame(b []byte, f *frame) error {
	*f = frame{}
	s := scanner{b: b}
	if !s.object(f, topLevel) {
		return errFrame
	}
	s.space()
	if s.i != len(s.b) {
		return errFrame
	}
	return nil
}

// eachRow reads the objects of an array that a frame kept as it came, into one
// frame that take may not keep.
func eachRow(rows []byte, take func(*frame) error) error {
	s := scanner{b: rows}
	if !s.byte('[') {
		return errFrame
	}
	if s.byte(']') {
		return nil
	}
	var f frame
	for {
		f = frame{}
		if !s.object(&f, topLevel) {
			return errFrame
		}
		if err := take(&f); err != nil {
			return err
		}
		if s.byte(']') {
			return nil
		}
		if !s.byte(',') {
			return errFrame
		}
	}
}

// The objects whose fields are looked at.
type level int

const (
	topLevel level = iota
	inboxLevel
	contentLevel
)

// scanner walks over b; every method moves i past what it took and reports
// whether that was there.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) byte(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// object reads an object's fields at a level into f.
func (s *scanner) object(f *frame, at level) bool {
	if !s.byte('{') {
		return false
	}
	if s.byte('}') {
		return true
	}
	for {
		name, ok := s.string()
		if !ok || !s.byte(':') || !s.field(f, at, name) {
			return false
		}
		if s.byte(',') {
			continue
		}
		return s.byte('}')
	}
}

func (s *scanner) field(f *frame, at level, name []byte) bool {
	if at == topLevel {
		switch string(name) {
		case "inbox":
			return s.object(f, inboxLevel)
		case "content":
			return s.object(f, contentLevel)
		case "entries", "conversations":
			s.space()
			start := s.i
			ok := s.skip()
			f.rows = s.b[start:s.i]
			return ok
		}
	}
	if to := f.stringField(at, name); to != nil {
		var ok bool
		*to, ok = s.string()
		return ok
	}
	if to := f.intField(at, name); to != nil {
		var ok bool
		*to, ok = s.integer()
		return ok
	}
	return s.skip()
}

func (f *frame) stringField(at level, name []byte) *[]byte {
	if at == contentLevel {
		switch string(name) {
		case "text":
			return &f.text
		case "type":
			return &f.content
		}
		return nil
	}
	if at != topLevel {
		return nil
	}
	switch string(name) {
	case "type":
		return &f.kind
	case "id":
		return &f.id
	case "conversation":
		return &f.conversation
	case "key":
		return &f.key
	case "code":
		return &f.code
	case "token":
		return &f.token
	case "with":
		return &f.with
	case "cursor":
		return &f.cursor
	}
	return nil
}

func (f *frame) intField(at level, name []byte) *int64 {
	if at == inboxLevel {
		switch string(name) {
		case "index":
			return &f.inboxIndex
		case "pre":
			return &f.inboxPre
		case "heads":
			return &f.heads
		}
		return nil
	}
	if at != topLevel {
		return nil
	}
	switch string(name) {
	case "index":
		return &f.index
	case "pre":
		return &f.pre
	case "n":
		return &f.n
	case "retry_ms":
		return &f.retryMS
	case "heartbeat_ms":
		return &f.heartbeatMS
	case "max_inflight":
		return &f.maxInflight
	case "newest":
		return &f.newest
	case "unread":
		return &f.unread
	}
	return nil
}

// string reads a string and returns what stands between its quotes.
func (s *scanner) string() ([]byte, bool) {
	if !s.byte('"') {
		return nil, false
	}
	start := s.i
	for {
		q := bytes.IndexByte(s.b[s.i:], '"')
		if q < 0 {
			return nil, false
		}
		s.i += q + 1
		if !escaped(s.b[start : s.i-1]) {
			return s.b[start : s.i-1], true
		}
	}
}

// escaped reports whether the byte after b is escaped: an odd number of
// backslashes stands before it.
func escaped(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// integer reads an integer from 0; the protocol has no other numbers.
func (s *scanner) integer() (int64, bool) {
	s.space()
	start := s.i
	var v int64
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		d := int64(s.b[s.i] - '0')
		if v > (math.MaxInt64-d)/10 {
			return 0, false
		}
		v = v*10 + d
		s.i++
	}
	return v, s.i > start
}

// skip passes over a value of any kind.
func (s *scanner) skip() bool {
	depth := 0
	for {
		s.space()
		if s.i >= len(s.b) {
			return false
		}
		switch c := s.b[s.i]; c {
		case '"':
			if _, ok := s.string(); !ok {
				return false
			}
		case '{', '[':
			depth++
			s.i++
		case '}', ']', ',', ':':
			if depth == 0 {
				return false
			}
			if c == '}' || c == ']' {
				depth--
			}
			s.i++
		default:
			if !s.word() {
				return false
			}
		}
		if depth == 0 {
			return true
		}
	}
}

// word passes over a number, true, false or null.
func (s *scanner) word() bool {
	start := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'E':
			s.i++
		default:
			return s.i > start
		}
	}
	return s.i > start
}
