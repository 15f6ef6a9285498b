package wire

// field is a place in the table of the fields that some frame has.
type field uint8

const (
	fNone field = iota
	fType
	fID
	fToken
	fDevice
	fWith
	fConversation
	fKey
	fAfter
	fBefore
	fContent
	fText
	fLimit
	fCursor
	fIndex
	fInbox
	fTitle
	fMembers
	fAdd
	fRemove
	fSince
	fUsers
	fWatch
	fieldCount
)

var fieldNames = [fieldCount]string{"", "type", "id", "token", "device", "with", "conversation",
	"key", "after", "before", "content", "text", "limit", "cursor", "index", "inbox", "title", "members", "add", "remove", "since",
	"users", "watch"}

func fieldOf(key []byte) field { //nolint:gocyclo,funlen // a table, which the compiler makes a search of
	switch string(key) {
	case "type":
		return fType
	case "id":
		return fID
	case "token":
		return fToken
	case "device":
		return fDevice
	case "with":
		return fWith
	case "conversation":
		return fConversation
	case "key":
		return fKey
	case "after":
		return fAfter
	case "before":
		return fBefore
	case "content":
		return fContent
	case "text":
		return fText
	case "limit":
		return fLimit
	case "cursor":
		return fCursor
	case "index":
		return fIndex
	case "inbox":
		return fInbox
	case "title":
		return fTitle
	case "members":
		return fMembers
	case "add":
		return fAdd
	case "remove":
		return fRemove
	case "since":
		return fSince
	case "users":
		return fUsers
	case "watch":
		return fWatch
	}
	return fNone
}

// fields are the values of an object, the last of each name.
type fields [fieldCount]value

// maxScratch is how much memory for escaped strings a decoder keeps between
// frames: there is one a connection, and most connections are idle.
const maxScratch = 2048

// Decoder reads the frames of one connection. The zero value is ready; it is
// not for concurrent use.
type Decoder struct {
	scanner
	top     fields
	content fields
	scratch []byte // unescaped strings of the current frame
}

// Next reads one frame into f, which it overwrites. The error is an *Error;
// f.ID is set beside it if the id could be read. Byte fields of f are valid
// until the next call and as long as line is not changed.
func (d *Decoder) Next(line []byte, f *Frame) error {
	*f = Frame{}
	if len(line) > MaxMessage {
		return &Error{Code: CodeTooLarge, Message: "The frame is too large."}
	}
	if cap(d.scratch) > maxScratch {
		d.scratch = nil
	}
	d.scratch = d.scratch[:0]
	d.scanner = scanner{b: line}
	d.top = fields{}
	ok := d.frame()
	id, idErr := d.text(&d.top, fID)
	if idErr == nil && printable(id, MaxID) {
		f.ID = id
	}
	var err *Error
	if !ok {
		err = &Error{Code: CodeInvalid, Message: "The frame " + d.why + "."}
	} else {
		err = d.request(f)
	}
	d.b = nil // an idle connection does not hold its last message
	if err != nil {
		return err
	}
	return nil
}

// frame scans the whole line: one object, nothing after it.
func (d *Decoder) frame() bool {
	if d.peek() != '{' {
		return d.fail("is not a JSON object")
	}
	if !d.members(&d.top, 1) {
		return false
	}
	if d.peek(); d.i != len(d.b) {
		return d.fail("has something after its end")
	}
	return true
}

// members scans an object into a table. The content of the frame gets its own
// table on the way, so that a send is scanned once.
func (d *Decoder) members(t *fields, depth int) bool {
	d.i++
	for first := true; ; first = false {
		more, ok := d.item(first, '}')
		if !ok || !more {
			return ok
		}
		var v value
		if !d.key(&v) {
			return false
		}
		f := fieldOf(d.bytes(v))
		if f == fContent && depth == 1 && d.peek() == '{' {
			start := d.i
			d.content = fields{}
			if !d.members(&d.content, 2) {
				return false
			}
			t[f] = value{kind: object, start: int32(start), end: int32(d.i)}
			continue
		}
		if !d.any(&v, depth) {
			return false
		}
		t[f] = v
	}
}

// bytes returns a scanned string without its escapes.
func (d *Decoder) bytes(v value) []byte {
	b := d.b[v.start:v.end]
	if !v.escaped {
		return b
	}
	start := len(d.scratch)
	d.scratch = appendUnescaped(d.scratch, b)
	return d.scratch[start:len(d.scratch):len(d.scratch)]
}
