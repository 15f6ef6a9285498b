package demo

import (
	"errors"
	"strings"
	"unicode"

	"github.com/merchantim/merchantim/internal/client"
)

func words(m client.Message) string {
	if m.Void {
		return "(this message could not be read)"
	}
	return printable(m.Text)
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
