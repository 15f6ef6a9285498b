package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// oracle reads a frame by encoding/json and regular expressions, with nothing
// in common with the decoder but the Frame. It returns the faulty field, ""
// for the frame as a whole, and false if the frame is refused.
func oracle(line []byte) (f Frame, code Code, field string, ok bool) {
	if len(line) > MaxMessage {
		return f, CodeTooLarge, "", false
	}
	var m map[string]json.RawMessage
	if !utf8.Valid(line) || loneSurrogate(line) || json.Unmarshal(line, &m) != nil || m == nil || depth(line) > MaxDepth {
		return f, CodeInvalid, "", false
	}
	o := &reading{m: m, f: &f}
	id, isText := o.text("id")
	if isText && printableRE.MatchString(id) {
		f.ID = []byte(id)
	}
	kind, isText := o.text("type")
	if !isText {
		return f, CodeInvalid, "type", false
	}
	steps, known := oracleSteps[kind]
	if !known {
		return f, CodeUnknownType, "type", false
	}
	if f.ID == nil {
		return f, CodeInvalid, "id", false
	}
	for i, name := range typeNames {
		if name == kind {
			f.Type = Type(i)
		}
	}
	for _, step := range steps {
		if step(o); o.fault != "" {
			return f, CodeInvalid, o.fault, false
		}
	}
	return f, "", "", true
}

var (
	printableRE = regexp.MustCompile(`^[ -~]{1,64}$`)
	tokenRE     = regexp.MustCompile(`^[ -~]{1,1000}`) // with all below
	keyRE       = regexp.MustCompile(`^[ !#-\[\]-~]{1,64}$`)
	nameRE      = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,64}$`)
	uuidRE      = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	asciiRE     = regexp.MustCompile(`^[ -~]*$`)
	integerRE   = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)
)

type reading struct {
	m     map[string]json.RawMessage
	f     *Frame
	fault string
}

var oracleSteps = map[string][]func(*reading){
	"hello": {(*reading).token, func(o *reading) { o.f.Device = o.match("device", nameRE) }, (*reading).position},
	"open":  {func(o *reading) { o.f.With = o.match("with", nameRE) }},
	"send": {(*reading).conversation, func(o *reading) { o.f.Key = o.match("key", keyRE) },
		(*reading).predecessor, (*reading).content},
	"history": {(*reading).conversation, (*reading).ends, func(o *reading) { o.limit(50, 200) }},
	"inbox": {func(o *reading) { o.f.HasAfter, o.f.After = true, o.integer("after", 0, MaxIndex) },
		func(o *reading) { o.limit(200, 500) }},
	"list": {(*reading).cursor, (*reading).since, func(o *reading) { o.limit(50, 200) }},
	"read": {(*reading).conversation, func(o *reading) { o.f.Index = o.integer("index", 1, MaxIndex) }},
	"ping": {},
	"create": {func(o *reading) { o.f.Key = o.match("key", keyRE) }, (*reading).title,
		func(o *reading) { o.f.Users = o.users("members", MaxNamed) }},
	"change": {(*reading).conversation, func(o *reading) { o.f.Users = o.users("add", MaxNamed) },
		func(o *reading) { o.f.Remove = o.users("remove", MaxNamed) }},
	"members": {(*reading).conversation, func(o *reading) {
		if o.has("cursor") {
			o.f.Cursor = o.match("cursor", nameRE)
		}
	}, func(o *reading) { o.limit(DefaultMembers, MaxMembers) }},
	"heads":    {},
	"presence": {(*reading).presence},
}

func (o *reading) title() {
	if o.has("title") {
		text, ok := o.text("title")
		if !ok {
			o.fault = "title"
		}
		o.f.Title = []byte(text)
	}
}

func (o *reading) since() {
	if o.has("since") {
		o.f.Since = o.integer("since", 0, MaxIndex)
	}
}

func (o *reading) presence() {
	if !o.has("users") {
		o.fault = "users"
		return
	}
	if o.f.Users = o.users("users", MaxPresence); o.fault == "" && o.has("watch") && json.Unmarshal(o.m["watch"], &o.f.Watch) != nil {
		o.fault = "watch"
	}
}

func (o *reading) users(name string, most int) (names []string) {
	if !o.has(name) {
		return nil
	}
	if json.Unmarshal(o.m[name], &names) != nil || len(names) > most {
		o.fault = name
		return nil
	}
	for _, n := range names {
		if !nameRE.MatchString(n) {
			o.fault = name
			return nil
		}
	}
	return names
}

func (o *reading) position() {
	if !o.has("inbox") {
		return
	}
	at := reading{f: o.f}
	if json.Unmarshal(o.m["inbox"], &at.m) != nil || at.m == nil {
		o.fault = "inbox"
		return
	}
	epoch, ok := at.text("epoch")
	if !ok || len(epoch) > MaxID {
		o.fault = "inbox.epoch"
		return
	}
	o.f.Epoch, o.f.Resumes = epoch, true
	if o.f.InboxIndex = at.integer("index", 0, MaxIndex); at.fault != "" {
		o.fault = "inbox.index"
		return
	}
	if at.has("heads") {
		if o.f.HeadSum = at.integer("heads", 0, MaxIndex); at.fault != "" {
			o.fault = "inbox.heads"
		}
	}
}

func (o *reading) has(name string) bool {
	raw, ok := o.m[name]
	return ok && string(raw) != "null"
}

func (o *reading) text(name string) (string, bool) {
	var s *string
	err := json.Unmarshal(o.m[name], &s)
	if err != nil || s == nil {
		return "", false
	}
	return *s, true
}

func (o *reading) match(name string, re *regexp.Regexp) []byte {
	s, ok := o.text(name)
	if !ok || !re.MatchString(s) {
		o.fault = name
	}
	return []byte(s)
}

func (o *reading) token() {
	o.f.Token = o.match("token", tokenRE)
	if len(o.f.Token) > MaxToken || !asciiRE.Match(o.f.Token) {
		o.fault = "token"
	}
}

func (o *reading) conversation() {
	text := o.match("conversation", uuidRE)
	if o.fault == "" {
		id, _ := hex.DecodeString(strings.ReplaceAll(string(text), "-", ""))
		o.f.Conversation = [16]byte(id)
	}
}

func (o *reading) predecessor() {
	if o.has("after") {
		o.f.Predecessor = o.match("after", keyRE)
	}
}

func (o *reading) content() {
	c := reading{}
	if json.Unmarshal(o.m["content"], &c.m) != nil || c.m == nil {
		o.fault = "content"
		return
	}
	kind, ok := c.text("type")
	if !ok || kind != KindText {
		o.fault = "content.type"
		return
	}
	text, ok := c.text("text")
	if !ok {
		o.fault = "content.text"
	}
	o.f.Kind, o.f.Text = KindText, []byte(text)
}

func (o *reading) ends() {
	if o.has("before") && o.has("after") {
		o.fault = "before"
		return
	}
	if o.has("before") {
		o.f.Before = o.integer("before", 1, MaxIndex)
	}
	if o.has("after") {
		o.f.HasAfter, o.f.After = true, o.integer("after", 0, MaxIndex)
	}
}

func (o *reading) cursor() {
	if o.has("cursor") {
		o.f.Cursor = o.match("cursor", asciiRE)
		if len(o.f.Cursor) > MaxCursor {
			o.fault = "cursor"
		}
	}
}

func (o *reading) integer(name string, min, max uint64) (n uint64) {
	raw := o.m[name]
	if !integerRE.Match(raw) || json.Unmarshal(raw, &n) != nil || n < min || n > max {
		o.fault = name
	}
	return n
}

func (o *reading) limit(byDefault, max int) {
	o.f.Limit = byDefault
	if o.has("limit") {
		o.f.Limit = int(o.integer("limit", 1, uint64(max)))
	}
}

// loneSurrogate takes the pairs out of the escapes and looks for what is left.
func loneSurrogate(line []byte) bool {
	line = bytes.ReplaceAll(line, []byte(`\\`), []byte("  "))
	line = pairRE.ReplaceAll(line, nil)
	return halfRE.Match(line)
}

var (
	pairRE = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)
	halfRE = regexp.MustCompile(`\\u[dD][89a-fA-F]`)
)

func depth(line []byte) (deepest int) {
	d, now := json.NewDecoder(bytes.NewReader(line)), 0
	for {
		switch t, err := d.Token(); {
		case err == io.EOF:
			return deepest
		case err != nil:
			return MaxDepth + 1
		case t == json.Delim('{') || t == json.Delim('['):
			now++
			deepest = max(deepest, now)
		case t == json.Delim('}') || t == json.Delim(']'):
			now--
		}
	}
}
