package rest

import (
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Where a parameter stands.
const (
	inPath   = "path"
	inQuery  = "query"
	inHeader = "header"
)

// param is a parameter: what is read, and what is described.
type param struct {
	name, in, about string
	required        bool
	example         any

	// A number within a range. byDefault, if not 0, stands for one not given.
	min, max, byDefault uint64

	// A text that is valid, or a refusal saying what it must be; nil: a number.
	valid   func(string) bool
	what    string
	pattern string

	// many: such texts, as often as the parameter comes, at most so many.
	many int
}

const (
	maxWaitMS  = 30_000
	uuidForm   = `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`
	userForm   = `^[a-zA-Z0-9._-]{1,64}$`
	keyForm    = `^[ !#-\[\]-~]{1,64}$`
	cursorForm = `^[ -~]{1,512}$`
)

var (
	conversationParam = param{
		name: "conversation", in: inPath, required: true, about: "The conversation.", example: exampleConversation,
		valid: func(s string) bool { _, ok := wire.ParseUUID(s); return ok }, what: "must be a UUID in lower case", pattern: uuidForm,
	}
	keyParam = param{
		name: "Idempotency-Key", in: inHeader, about: "May stand here instead of `key` in the body.", example: "a1",
		valid: func(s string) bool { return wire.ValidKey([]byte(s)) },
		what:  `must be 1 to 64 printable ASCII characters without " and \`, pattern: keyForm,
	}
	cursorParam = param{
		name: "cursor", in: inQuery, about: "`cursor` of the page before; none: the first page.",
		valid: wire.ValidCursor, what: "is not one that was given out", pattern: cursorForm,
		example: "AAABmtQ7VgABk2cyYJOAAYAAAAAAAAAA",
	}
	memberCursor = param{
		name: "cursor", in: inQuery, about: "`cursor` of the page before, which is a user; none: the first page.",
		valid: func(s string) bool { return wire.ValidUser([]byte(s)) }, what: "must be 1 to 64 characters of a-z A-Z 0-9 . _ -",
		pattern: userForm, example: "bob",
	}
	usersParam = param{
		name: "user", in: inQuery, about: "A user, at most 100: repeat it for each.", many: wire.MaxPresence,
		valid: func(s string) bool { return wire.ValidUser([]byte(s)) }, what: "must be 1 to 64 characters of a-z A-Z 0-9 . _ -",
		pattern: userForm, example: []userName{"bob"},
	}
	beforeParam = number("before", "Messages before this index. Not together with `after`; neither: the newest.", 1, wire.MaxIndex, 6)
	afterParam  = number("after", "Messages after this index.", 0, wire.MaxIndex, 0)
	entryParam  = number("after", "Entries after this inbox index; none: from the first.", 0, wire.MaxIndex, 17)
	waitParam   = number("wait_ms", "Wait so long for something new, if there is nothing yet.", 0, maxWaitMS, 25_000)
	headsParam  = number("heads", "The sum of heads that the client knows: another one ends the waiting.", 0, wire.MaxIndex, 230)
	sinceParam  = number("since", "Only what changed after this `version`, and all large groups; 0: all.", 0, wire.MaxIndex, 77)
)

func number(name, about string, min, max uint64, example int) param {
	return param{name: name, in: inQuery, about: about, min: min, max: max, example: example}
}

func pageLimit(byDefault, max uint64) param {
	p := number("limit", "Most rows of the page.", 1, max, int(byDefault))
	p.byDefault = byDefault
	return p
}

// describe is the parameter in OpenAPI.
func (p *param) describe() *huma.Param {
	s := &huma.Schema{Type: huma.TypeString, Pattern: p.pattern}
	if p.valid == nil {
		min, max := float64(p.min), float64(p.max)
		s = &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &min, Maximum: &max}
		if p.byDefault > 0 {
			s.Default = p.byDefault
		}
	}
	if p.many > 0 {
		s = &huma.Schema{Type: huma.TypeArray, Items: s, MaxItems: &p.many}
	}
	return &huma.Param{
		Name: p.name, In: p.in, Description: p.about, Required: p.required, Schema: s, Example: p.example,
	}
}

// status is the key of a response in OpenAPI.
func status(code int) string { return strconv.Itoa(code) }
