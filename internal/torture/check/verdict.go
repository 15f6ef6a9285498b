package check

import (
	"cmp"
	"slices"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// Field is what a finding counts against; the names stand in the last line of
// the torture's output.
type Field string

// The fields.
const (
	// Lost: a message that someone was told to be stored is not in its chain.
	Lost Field = "lost"
	// Duplicated: one intent stands in its chain more than once.
	Duplicated Field = "duplicated"
	// Reordered: a message does not stand where someone was told, before one
	// that it has to follow, or out of the chain's own numbering.
	Reordered Field = "reordered"
	// InboxMismatch: an inbox is not the projection of the chains, or not what
	// was pushed.
	InboxMismatch Field = "inbox_mismatch"
	// UnreadMismatch: a list is not what chains and reads make of it.
	UnreadMismatch Field = "unread_mismatch"
	// Invented: something stored or shown that nobody intended.
	Invented Field = "invented"
	// WrongAnswers: taken instead of refused, refused instead of taken, a page
	// with a hole or out of date, another epoch, a frame that is none.
	WrongAnswers Field = "wrong_answers"
)

// Fields lists all fields in the order of the report.
func Fields() []Field {
	return []Field{Lost, Duplicated, Reordered, InboxMismatch, UnreadMismatch, Invented, WrongAnswers}
}

// Finding is one difference. Two findings with the same field and subject
// count once.
type Finding struct {
	Field   Field
	Subject string
	Text    string
	Where   trail.Where // the line of the raw logs that shows it, if there is one
}

// Verdict is what the checker has to say.
type Verdict struct {
	Counts   map[Field]int
	Findings []Finding // one a subject, by field, at most shown of each

	Intended int // distinct messages that clients meant to send
	Acked    int // of these, with a receipt
	Stored   int // entries of all chains
	Entries  int // entries of all inboxes
	Pushed   int // entries that were pushed to a link
	Repeats  int // of these, at or below what the link had already
	Claims   int // places that somebody was told, all compared
	Switches int // of groups across the size at which they are large
	Refused  int // deliberate mistakes that were refused as they should be
}

// Clean reports whether nothing was found.
func (v Verdict) Clean() bool {
	for _, n := range v.Counts {
		if n > 0 {
			return false
		}
	}
	return true
}

const shown = 10

// judge counts and picks; the earliest finding in a log stands for its subject.
func judge(findings []Finding) (map[Field]int, []Finding) {
	type subject struct {
		field Field
		name  string
	}
	counts := map[Field]int{}
	for _, f := range Fields() {
		counts[f] = 0
	}
	seen := map[subject]bool{}
	kept := map[Field][]Finding{}
	for _, f := range findings {
		s := subject{f.Field, f.Subject}
		if seen[s] {
			continue
		}
		seen[s] = true
		counts[f.Field]++
		if len(kept[f.Field]) < shown {
			kept[f.Field] = append(kept[f.Field], f)
		}
	}
	var out []Finding
	for _, f := range Fields() {
		out = append(out, kept[f]...)
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Compare(slices.Index(Fields(), a.Field), slices.Index(Fields(), b.Field))
	})
	return counts, out
}
