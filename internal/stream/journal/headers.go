package journal

import (
	"fmt"
	"path"
	"sort"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

// readHeaders finds the segments in use, and removes what a crash left of
// segments that were not yet.
func (r *recovery) readHeaders() error {
	all, err := listSegments(r.l.fs, r.l.dir)
	if err != nil {
		return err
	}
	var unused []*segment
	var torn *segment
	for _, s := range all {
		h, state, err := readHeader(r.l.fs, s)
		switch {
		case err != nil:
			return err
		case state == headerGood && torn != nil:
			return fmt.Errorf("%w: segment %s: the header is damaged", stream.ErrCorrupt, torn.path)
		case state == headerGood:
			r.found, r.headers = append(r.found, s), append(r.headers, h)
		case state == headerTorn:
			torn = s
			unused = append(unused, s)
		default:
			unused = append(unused, s)
		}
		r.past.number = max(r.past.number, s.number)
	}
	if len(r.found) == 0 && r.past.number > 1 {
		return fmt.Errorf("%w: all segments before %s are missing or damaged", stream.ErrCorrupt, all[0].path)
	}
	for _, s := range unused {
		if err := r.l.fs.Remove(s.path); err != nil {
			return fmt.Errorf("remove an unused segment: %w", err)
		}
	}
	if len(r.found) == 0 {
		r.past.number = 0 // a first start that a crash cut short is tried again
	}
	// Durable before a younger segment is: a torn header must stay the last.
	if err := r.l.fs.SyncDir(r.l.dir); err != nil {
		return fmt.Errorf("sync the folder: %w", err)
	}
	return nil
}

func listSegments(fs vfs.FS, dir string) ([]*segment, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var all []*segment
	for _, name := range names {
		if number, salt, ok := parseSegmentName(name); ok {
			all = append(all, &segment{number: number, salt: salt, path: path.Join(dir, name)})
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].number < all[j].number })
	return all, nil
}

type headerState int

const (
	headerGood headerState = iota
	headerNone             // nothing was written yet, in this life of the file
	headerTorn
)

// readHeader reads a segment's header. If there is none, there must be no group
// either: the salt for that is in the name.
func readHeader(fs vfs.FS, s *segment) (*segmentHeader, headerState, error) {
	f, err := fs.Open(s.path)
	if err != nil {
		return nil, 0, fmt.Errorf("open segment: %w", err)
	}
	defer func() { _ = f.Close() }()
	sc, err := newScanner(f, s)
	if err != nil {
		return nil, 0, err
	}
	s.size = sc.size
	another := false
	b, err := sc.bytes(0, segmentFixed)
	if err != nil {
		return nil, 0, err
	}
	if n, err := headerLength(b); err == nil {
		if b, err = sc.bytes(0, n); err != nil {
			return nil, 0, err
		}
		h, err := decodeSegmentHeader(b)
		if err == nil && h.salt == s.salt && h.number == s.number {
			s.header, s.at = n, pages(n)
			return h, headerGood, nil
		}
		another = err == nil
	}
	switch left, err := sc.rest(0, 0); {
	case err != nil:
		return nil, 0, err
	case left.later:
		return nil, 0, fmt.Errorf("%w: segment %s: the header is damaged, a good group lies at %d", stream.ErrCorrupt, s.path, left.at)
	case left.dirty && !another:
		return nil, headerTorn, nil
	}
	return nil, headerNone, nil
}
