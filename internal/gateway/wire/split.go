package wire

import (
	"bytes"
	"errors"
)

// Errors of Split. After them nothing of the message was handed out.
var (
	ErrMessageTooLarge = errors.New("wire: WebSocket message too large")
	ErrTooManyFrames   = errors.New("wire: too many frames in a WebSocket message")
)

// Lines are the frames of one WebSocket message.
type Lines struct{ rest []byte }

// Split checks a client's WebSocket message against MaxMessage and MaxFrames.
// The frames are views into it.
func Split(message []byte) (Lines, error) {
	if len(message) > MaxMessage {
		return Lines{}, ErrMessageTooLarge
	}
	if bytes.Count(message, newline) >= MaxFrames { // rare: count those that are not blank
		n := 0
		for l := SplitAny(message); ; n++ {
			if _, ok := l.Next(); !ok {
				break
			}
		}
		if n > MaxFrames {
			return Lines{}, ErrTooManyFrames
		}
	}
	return SplitAny(message), nil
}

// SplitAny is Split without limits, for what a server sends.
func SplitAny(message []byte) Lines { return Lines{rest: message} }

var newline = []byte{'\n'}

// Next returns the next line that is not blank.
func (l *Lines) Next() (line []byte, ok bool) {
	for len(l.rest) > 0 {
		if i := bytes.IndexByte(l.rest, '\n'); i >= 0 {
			line, l.rest = l.rest[:i], l.rest[i+1:]
		} else {
			line, l.rest = l.rest, nil
		}
		if !blank(line) {
			return line, true
		}
	}
	return nil, false
}

func blank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}
