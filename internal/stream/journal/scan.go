package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/merchantim/merchantim/internal/vfs"
)

// scanner reads a segment front to back.
type scanner struct {
	f    vfs.File
	path string
	size int64
	salt uint64

	block []byte // a piece of the file, never written again once read
	from  int64
}

// scanBlock is how much is read at once.
const scanBlock = 1 << 20

func newScanner(f vfs.File, s *segment) (*scanner, error) {
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("size of %s: %w", s.path, err)
	}
	return &scanner{f: f, path: s.path, size: size, salt: s.salt}, nil
}

// bytes returns n bytes at off, fewer at the end of the file. They stay valid.
func (s *scanner) bytes(off, n int64) ([]byte, error) {
	n = min(n, s.size-off)
	if n <= 0 {
		return nil, nil
	}
	if off < s.from || off+n > s.from+int64(len(s.block)) {
		block := make([]byte, min(max(n, scanBlock), s.size-off))
		got, err := s.f.ReadAt(block, off)
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("read %s at %d: %w", s.path, off, err)
		}
		s.block, s.from = block[:got], off
		n = min(n, int64(got))
	}
	return s.block[off-s.from:][:n:n], nil
}

// groupAt returns the whole group at off if a good one with that sequence
// number lies there.
func (s *scanner) groupAt(off int64, sequence uint64) (groupInfo, []byte, error) {
	head, err := s.bytes(off, groupHead)
	if err != nil {
		return groupInfo{}, nil, err
	}
	g, ok := decodeGroupHead(head)
	if !ok || g.salt != s.salt || g.sequence != sequence || g.offset != off || g.length > s.size-off {
		return groupInfo{}, nil, nil
	}
	b, err := s.bytes(off, g.length)
	if err != nil || !g.intact(b) {
		return groupInfo{}, nil, err
	}
	return g, b, nil
}

// padded reports whether there are only zeros from off to the next page: that
// is where a group ends, and a misdirected one might lie.
func (s *scanner) padded(off int64) (bool, error) {
	b, err := s.bytes(off, pages(off)-off)
	return zero(b), err
}

// rest is what lies behind the last good group.
type rest struct {
	dirty bool  // something else than zeros
	later bool  // a good group at least as young as the one expected,
	at    int64 // here, wherever it belongs
}

// rest looks through the file from off on. A group is recognised at any byte:
// a misdirected write may have put it anywhere.
func (s *scanner) rest(off int64, sequence uint64) (rest, error) {
	var r rest
	salt := binary.LittleEndian.AppendUint64(nil, s.salt)
	const saltAt = 8 // in a group's head
	for at := off; at < s.size; {
		b, err := s.bytes(at, min(scanBlock, s.size-at))
		if err != nil {
			return r, err
		}
		if len(b) == 0 {
			return r, nil // the file was cut while it was read
		}
		r.dirty = r.dirty || !zero(b)
		for i := 0; r.dirty; {
			hit := bytes.Index(b[i:], salt)
			if hit < 0 {
				break
			}
			i += hit + 1
			start := at + int64(i) - 1 - saltAt
			if ok, err := s.anyGroup(start, sequence); err != nil || ok {
				r.later, r.at = ok, start
				return r, err
			}
		}
		if at += int64(len(b)); at < s.size {
			at -= int64(len(salt)) - 1 // a salt may lie across
		}
	}
	return r, nil
}

// anyGroup reports whether a good group not older than sequence lies at off.
func (s *scanner) anyGroup(off int64, sequence uint64) (bool, error) {
	if off < 0 {
		return false, nil
	}
	head := make([]byte, groupHead)
	if n, err := s.f.ReadAt(head, off); n < len(head) {
		return false, ignoreEOF(err)
	}
	g, ok := decodeGroupHead(head)
	if !ok || g.salt != s.salt || g.sequence < sequence || g.length > s.size-off {
		return false, nil
	}
	b := make([]byte, g.length)
	if n, err := s.f.ReadAt(b, off); n < len(b) {
		return false, ignoreEOF(err)
	}
	return g.intact(b), nil
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

func zero(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
