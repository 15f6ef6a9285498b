package trail

import "fmt"

// Kind says what an event is.
type Kind string

// The kinds of events.
const (
	Intent Kind = "intent" // the client is about to send this frame for the first time
	Out    Kind = "out"    // a frame was handed to the socket
	In     Kind = "in"     // a frame was received
	Bad    Kind = "bad"    // something was received that is no frame
	Up     Kind = "up"     // a link was made
	Down   Kind = "down"   // a link is gone; Note says why, Code is its close code or 0
	Whole  Kind = "whole"  // the client has all that it was told to have, and is at its end
)

// Expect is what an intent deserves as its answer, besides a retryable error
// or none at all.
type Expect string

// What may be expected. A refusal is named by its code.
const (
	Accept  Expect = ""     // to be stored, once
	Same    Expect = "same" // an earlier intent again: the first answer again
	Open    Expect = "open" // anything but a message: open, read, history, inbox, list, ping
	Refused Expect = "predecessor_missing"
	Clash   Expect = "conflict"
	Foreign Expect = "forbidden"
	Unknown Expect = "not_found"
	Invalid Expect = "invalid"
	Large   Expect = "too_large"
)

// Event is one line of a trail.
type Event struct {
	T      int64  `json:"t"` // microseconds since the run began, on one clock for all clients
	Kind   Kind   `json:"k"`
	Link   int    `json:"l,omitempty"` // the client's links, counted from 1
	Expect Expect `json:"x,omitempty"`
	Note   string `json:"note,omitempty"`
	Code   int    `json:"code,omitempty"`
	Frame  Frame  `json:"f"`
	Where  Where  `json:"-"`
}

// Where is the line that an event stands on.
type Where struct {
	File string
	Line int
}

func (w Where) String() string {
	if w.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", w.File, w.Line)
}
