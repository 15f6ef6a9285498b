package demo

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/merchantim/merchantim/internal/client"
)

// words is what a message says, in words for a person.
func words(m client.Message) string {
	switch m.Kind {
	case client.KindText:
		return printable(m.Text)
	case client.KindCreated:
		return "(made the group " + printable(m.Change.Title) + " with " + people(m.Change.Members) + ")"
	case client.KindMembers:
		var all []string
		if g := m.Change; len(g.Added) > 0 {
			all = append(all, "added "+people(g.Added))
		}
		if g := m.Change; len(g.Removed) > 0 {
			all = append(all, "removed "+people(g.Removed))
		}
		return "(" + strings.Join(all, " and ") + ")"
	case client.KindDiffusion:
		if m.Change.Mode == client.ModeRead {
			return "(the group is a large one now)"
		}
		return "(the group is no longer a large one)"
	case client.KindVoid:
		return "(this message could not be read)"
	default:
		return "(a message of a kind that this program does not know)"
	}
}

// people names a few of many.
func people(names []string) string {
	const few = 10
	if len(names) > few {
		return printable(strings.Join(names[:few], ", ")) + fmt.Sprintf(" and %d more", len(names)-few)
	}
	return printable(strings.Join(names, ", "))
}

// printable makes a stranger's text harmless for a terminal: no control
// characters, no changes of direction.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsPrint(r) || r == '\u200d': // the joiner of emoji
			return r
		default:
			return '\ufffd'
		}
	}, text)
}

func reason(err error) string {
	var r *client.Refused
	if errors.As(err, &r) {
		return strings.TrimSuffix(printable(r.Message), ".")
	}
	return err.Error()
}
