package leveldb

import "slices"

// flush writes everything before the mark and, if durable, syncs it. After an
// error it may be called again and repeats what is in doubt.
func (w *wal) flush(m mark, durable bool) error {
	w.io.Lock()
	defer w.io.Unlock()
	defer w.sweep()
	w.mu.Lock()
	segs := slices.Clone(w.segs)
	w.mu.Unlock()
	for i, s := range segs {
		if s.num > m.num {
			break
		}
		last := i == len(segs)-1 || segs[i+1].num > m.num
		if err := w.flushSegment(s, m, durable || !last); err != nil {
			s.written = s.synced // the rest is in doubt: write it again
			return err
		}
	}
	return nil
}

// flushSegment is flush for one segment; io is held.
func (w *wal) flushSegment(s *segment, m mark, durable bool) error {
	pieces, to := w.pieces(s, m)
	if to > s.written {
		if s.file == nil {
			f, err := w.disk.create(w.disk.logName(s.num))
			if err != nil {
				return err
			}
			s.file = f
		}
		for _, p := range pieces {
			if _, err := s.file.WriteAt(p, s.written); err != nil {
				return err
			}
			w.disk.written.Add(int64(len(p)))
			s.written += int64(len(p))
		}
	}
	if !durable || s.synced == s.written {
		return nil
	}
	if err := s.file.Datasync(); err != nil {
		return err
	}
	if err := w.disk.syncNames(); err != nil {
		return err
	}
	w.free(s)
	return nil
}

// pieces returns what is in memory and not written, up to the mark. Bytes once
// appended do not change, so that they can be read without the lock.
func (w *wal) pieces(s *segment, m mark) (pieces [][]byte, to int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	to = m.reaches(s)
	if s.chunks == nil { // removed, or empty
		return nil, s.written
	}
	for at := s.written; at < to; {
		c := s.chunks[(at-s.base)/chunkSize]
		from := (at - s.base) % chunkSize
		p := c[from:min(int64(len(c)), from+to-at)]
		pieces = append(pieces, p)
		at += int64(len(p))
	}
	return pieces, to
}

// free notes that what was written is durable and gives back its memory.
func (w *wal) free(s *segment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.synced = s.written
	w.signal()
	for len(s.chunks) > 0 && s.base+chunkSize <= s.synced {
		s.chunks[0] = nil
		s.chunks = s.chunks[1:]
		s.base += chunkSize
	}
}
