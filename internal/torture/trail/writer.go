package trail

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Clock gives the time of events, the same for all trails of a run.
type Clock struct{ start time.Time }

// NewClock starts at zero.
func NewClock() Clock { return Clock{time.Now()} }

// Now is the time since the clock's start in microseconds, monotonic.
func (c Clock) Now() int64 { return time.Since(c.start).Microseconds() }

// Writer writes one client's trail; for one goroutine. It keeps the first
// error and gives it at Close. It is buffered: the harness itself is never killed.
type Writer struct {
	f     *os.File
	w     *bufio.Writer
	clock Clock
	buf   []byte
	err   error
}

// Create makes the file.
func Create(path string, clock Clock) (*Writer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("trail: %w", err)
	}
	return &Writer{f: f, w: bufio.NewWriterSize(f, 64<<10), clock: clock}, nil
}

// Intend notes a frame that is about to be sent for the first time.
func (w *Writer) Intend(link int, x Expect, raw []byte) { w.frame(Intent, link, x, raw) }

// Sent notes a frame handed to the socket.
func (w *Writer) Sent(link int, raw []byte) { w.frame(Out, link, "", raw) }

// Received notes what came, as it came.
func (w *Writer) Received(link int, raw []byte) {
	// A frame has no newline, so it can stand in a line as it is, if it is JSON at all.
	if !json.Valid(raw) || bytes.IndexByte(raw, '\n') >= 0 {
		w.note(Bad, link, 0, string(raw))
		return
	}
	w.frame(In, link, "", raw)
}

// Up notes a new link.
func (w *Writer) Up(link int) { w.note(Up, link, 0, "") }

// Whole notes that the client has everything.
func (w *Writer) Whole(link int) { w.note(Whole, link, 0, "") }

// Down notes the end of a link with its close code (0: none) and reason.
func (w *Writer) Down(link, code int, why string) { w.note(Down, link, code, why) }

// Close writes the rest and tells the first error.
func (w *Writer) Close() error {
	if err := w.w.Flush(); w.err == nil {
		w.err = err
	}
	if err := w.f.Close(); w.err == nil {
		w.err = err
	}
	if w.err != nil {
		return fmt.Errorf("trail: %w", w.err)
	}
	return nil
}

func (w *Writer) frame(k Kind, link int, x Expect, raw []byte) {
	b := w.head(k, link)
	if x != "" {
		b = append(b, `,"x":"`...)
		b = append(b, x...)
		b = append(b, '"')
	}
	b = append(b, `,"f":`...)
	b = append(b, raw...)
	w.line(b)
}

func (w *Writer) note(k Kind, link, code int, note string) {
	b := w.head(k, link)
	if code != 0 {
		b = append(b, `,"code":`...)
		b = strconv.AppendInt(b, int64(code), 10)
	}
	if note != "" {
		text, err := json.Marshal(note)
		if err != nil { // a string always marshals
			panic(err)
		}
		b = append(b, `,"note":`...)
		b = append(b, text...)
	}
	w.line(b)
}

func (w *Writer) head(k Kind, link int) []byte {
	b := append(w.buf[:0], `{"t":`...)
	b = strconv.AppendInt(b, w.clock.Now(), 10)
	b = append(b, `,"k":"`...)
	b = append(b, k...)
	b = append(b, `","l":`...)
	return strconv.AppendInt(b, int64(link), 10)
}

func (w *Writer) line(b []byte) {
	w.buf = append(b, '}', '\n')
	if w.err == nil {
		_, w.err = w.w.Write(w.buf)
	}
}
