package wire

import (
	"bytes"
	"strconv"
)

// The short link speaks the same JSON without a frame around it: what a frame
// says in type and id, a request of HTTP says in its path.

// Outside holds what a request of the short link says elsewhere than in its
// body. Empty is not said.
type Outside struct {
	Conversation string
	Key          string
	Token        string
}

// Body reads the body of a request that has the meaning of a frame of type t,
// by the rules of that frame. Fields of the body that are said outside are
// ignored, but for a key that says something else.
func (d *Decoder) Body(t Type, body []byte, out Outside, f *Frame) error {
	*f = Frame{}
	if len(body) > MaxMessage {
		return &Error{Code: CodeTooLarge, Message: "The body is too large."}
	}
	d.scratch = d.scratch[:0]
	d.scanner = scanner{b: body}
	d.top, d.content = fields{}, fields{}
	defer func() { d.b = nil }()
	if !d.frame() {
		return &Error{Code: CodeInvalid, Message: "The body " + d.why + "."}
	}
	if out.Key != "" && d.has(fKey) {
		key, err := d.text(&d.top, fKey)
		if err != nil {
			return err
		}
		if string(key) != out.Key {
			return invalid("key", "is not the one of the header")
		}
	}
	d.put(fConversation, out.Conversation)
	d.put(fKey, out.Key)
	d.put(fToken, out.Token)
	f.Type = t
	if err := d.own(f); err != nil {
		return err
	}
	return nil
}

// put makes a text, which needs no escapes, the value of a field: behind the
// end of what was scanned.
func (d *Decoder) put(at field, text string) {
	if text == "" {
		return
	}
	start := len(d.b)
	d.b = append(d.b[:start:start], text...)
	d.top[at] = value{kind: str, start: int32(start), end: int32(len(d.b))}
}

// Bare takes type and id off a frame that was appended with an empty id: what
// is left is the body of the short link's answer. It changes the frame.
func Bare(frame []byte) []byte {
	const id = `"id":"",`
	at := bytes.Index(frame, []byte(id)) + len(id) - 1
	if at < len(id) {
		return frame
	}
	frame[at] = '{'
	return frame[at:]
}

// BarePresence is the body of the short link's answer: a frame of it without an
// id is a push, and not for Bare.
func BarePresence(users []Seen) []byte { return appendSeen([]byte{'{'}, users) }

// AppendHeadSum puts the sum of the heads at the end of a bare answer.
func AppendHeadSum(bare []byte, sum uint64) []byte {
	bare = strconv.AppendUint(append(bare[:len(bare)-1], `,"heads":`...), sum, 10)
	return append(bare, '}')
}

// AppendMissed puts entries at the end of a bare welcome.
func AppendMissed(bare []byte, entries []Entry) []byte {
	bare = appendEntries(append(bare[:len(bare)-1], `,"missed":`...), entries)
	return append(bare, '}')
}

func appendEntries(dst []byte, entries []Entry) []byte {
	dst = append(dst, '[')
	for i := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		dst = appendInbox(dst, entries[i].InboxIndex, entries[i].InboxPre)
		dst = AppendMsgTail(dst, &entries[i].Message)
	}
	return append(dst, ']')
}

// Number reads a number as a frame has it: digits only, within a range.
func Number(name, text string, min, max uint64) (uint64, error) {
	n, ok := digits(text)
	if !ok || n < min || n > max {
		return 0, notInteger(name, min, max)
	}
	return n, nil
}

// ValidCursor reports whether a cursor may be one that was given out.
func ValidCursor(cursor string) bool { return printable([]byte(cursor), MaxCursor) }

func digits[T string | []byte](text T) (n uint64, ok bool) {
	if len(text) == 0 || len(text) > 16 { // 2^53 has 16 digits
		return 0, false
	}
	for i := range len(text) {
		c := text[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

func notInteger(name string, min, max uint64) *Error {
	return invalid(name, "must be an integer from "+strconv.FormatUint(min, 10)+" to "+strconv.FormatUint(max, 10))
}
