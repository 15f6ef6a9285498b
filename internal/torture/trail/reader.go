package trail

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
)

// maxLine bounds a line: a history page of 200 messages at the text limit,
// every byte of them escaped, is under 10 MiB.
const maxLine = 32 << 20

// Read gives the events of a file in their order. A line that cannot be read
// ends it with an error.
func Read(path string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(Event{}, fmt.Errorf("trail: %w", err))
			return
		}
		defer f.Close() //nolint:errcheck // only read from
		read(f, filepath.Base(path), yield)
	}
}

func read(r io.Reader, name string, yield func(Event, error) bool) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	for n := 1; s.Scan(); n++ {
		ev := Event{Where: Where{File: name, Line: n}}
		err := json.Unmarshal(s.Bytes(), &ev)
		if err != nil {
			// The line is sound JSON (the writer saw to that), but a field has
			// not the type that the protocol gives it.
			var wrong *json.UnmarshalTypeError
			if !errors.As(err, &wrong) {
				yield(ev, fmt.Errorf("trail: %v: %w", ev.Where, err))
				return
			}
			ev.Kind, ev.Note = Bad, err.Error()
		}
		if !yield(ev, nil) {
			return
		}
	}
	if err := s.Err(); err != nil {
		yield(Event{}, fmt.Errorf("trail: %s: %w", name, err))
	}
}
