package client

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// File is a store in one file: a line of JSON for each batch, read into memory
// and written anew, without what is kept no more, when it is opened. A process
// that is killed loses nothing that was applied; after a loss of power the end
// may be missing, and comes from the server again. A line that cannot be read
// with others behind it is an error: the file was damaged.
type File struct {
	Memory

	file *os.File
	size int64 // of what is known to be whole; the next line is written there
}

// fileLine is a line of the file: a batch, or, in a file written anew, what is
// kept of a conversation besides its messages.
type fileLine struct {
	*Batch
	Messages []wire.Shown `json:"messages,omitempty"`
	Kept     *fileRow     `json:"kept,omitempty"`
}

type fileRow struct {
	Row    wire.Row `json:"row"`
	Newest uint64   `json:"newest"`
	Seen   uint64   `json:"seen"`
}

// OpenFile opens a store, or makes one. Keep is as in Memory. The caller closes
// it, after the client.
func OpenFile(name string, keep int) (*File, error) {
	s := &File{Memory: Memory{Keep: keep}}
	if err := s.load(name); err != nil {
		return nil, err
	}
	if err := s.compact(name); err != nil {
		return nil, fmt.Errorf("client: keeping messages: %w", err)
	}
	return s, nil
}

// Close syncs and closes the file.
func (s *File) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.file.Sync(), s.file.Close()); err != nil {
		return fmt.Errorf("client: keeping messages: %w", err)
	}
	return nil
}

// Apply implements Store.
func (s *File) Apply(b *Batch) error {
	line, err := encode(newLine(b))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.file.WriteAt(line, s.size); err != nil {
		return fmt.Errorf("client: keeping messages: %w", err)
	}
	s.size += int64(len(line))
	s.apply(b)
	return nil
}

func newLine(b *Batch) *fileLine {
	l := &fileLine{Batch: b, Messages: make([]wire.Shown, len(b.Messages))}
	for i := range b.Messages {
		l.Messages[i] = b.Messages[i].shown()
	}
	return l
}

func encode(l *fileLine) ([]byte, error) {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false) // a content stays as it came
	if err := e.Encode(l); err != nil {
		return nil, fmt.Errorf("client: keeping messages: %w", err)
	}
	return line.Bytes(), nil
}

func (s *File) load(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("client: reading what was kept: %w", err)
	}
	err = s.read(bufio.NewReaderSize(f, 1<<20))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("client: reading %s: %w", name, err)
	}
	return nil
}

// read applies the lines. The last one may be torn.
func (s *File) read(in *bufio.Reader) error {
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // what stands behind the last newline is torn
		}
		if err != nil {
			return err
		}
		l := fileLine{Batch: new(Batch)}
		if err := json.Unmarshal(line, &l); err != nil {
			if _, more := in.Peek(1); errors.Is(more, io.EOF) {
				return nil
			}
			return fmt.Errorf("line %d: %w", n, err)
		}
		for i := range l.Messages {
			l.Batch.Messages = append(l.Batch.Messages, messageOf("", &l.Messages[i]))
		}
		s.apply(l.Batch)
		if k := l.Kept; k != nil {
			c := s.chain(k.Row.Conversation)
			c.row, c.newest, c.seen = k.Row, k.Newest, k.Seen
		}
	}
}

// perLine is how many messages go into a line of a file written anew.
const perLine = 200

// compact writes the file anew and opens it.
func (s *File) compact(name string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	var all bytes.Buffer
	for _, l := range s.snapshot() {
		line, err := encode(l)
		if err != nil {
			return err
		}
		if all.Write(line); all.Len() < 1<<20 {
			continue
		}
		if err := s.flush(f, &all); err != nil {
			return err
		}
	}
	if err := s.flush(f, &all); err != nil {
		return err
	}
	if s.size > 0 {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	s.file = f
	return os.Rename(f.Name(), name)
}

func (s *File) flush(f *os.File, all *bytes.Buffer) error {
	n, err := all.WriteTo(f)
	s.size += n
	return err
}

// snapshot is what is kept, as lines.
func (s *File) snapshot() []*fileLine {
	at := &s.at
	if at.Epoch == "" {
		return nil
	}
	out := []*fileLine{newLine(&Batch{
		Anew: true, User: at.User, Epoch: at.Epoch, Index: at.Index, Heads: at.Heads, Version: at.Version,
	})}
	for _, c := range s.chains {
		for part := range slices.Chunk(c.messages, perLine) {
			out = append(out, &fileLine{Batch: new(Batch), Messages: part})
		}
		out = append(out, &fileLine{Batch: new(Batch), Kept: &fileRow{Row: c.row, Newest: c.newest, Seen: c.seen}})
	}
	return out
}
