package leveldb

import (
	"strconv"
	"time"
)

const (
	// restFactor is how long the maker of a table rests after each piece, in
	// times of what the piece took; restMost bounds it.
	restFactor = 2
	restMost   = 50 * time.Millisecond
	// crowded unsorted tables let nobody rest: writers would soon be held back.
	crowded = l0Tables * 4 / 3
)

// pacer spreads the making of tables over time. A table, let alone a merge of
// many, is seconds of work at one go; where cores are few, everything else
// waits behind it.
type pacer struct {
	hurry func() bool         // there is no time to rest; nil: never is
	rest  func(time.Duration) // ends early when the store is closed
}

// after rests after a piece that was begun at a time, and returns when the next
// one begins.
func (p *pacer) after(begun time.Time) time.Time {
	now := time.Now()
	if p.hurry == nil || p.hurry() {
		return now
	}
	p.rest(min(restFactor*now.Sub(begun), restMost))
	return time.Now()
}

// hurry reports whether writes catch up with the making of tables: the log
// behind the one whose table is being made is half full, or too many tables
// wait to be merged. So it is while the database opens or closes.
func (s *Store) hurry() bool {
	if s.disk.wal.behind() > int64(s.opt.WriteBuffer)/2 {
		return true
	}
	db, err := s.use()
	if err != nil {
		return true
	}
	defer s.done()
	tables, err := db.GetProperty("leveldb.num-files-at-level0")
	if err != nil {
		return true
	}
	n, err := strconv.Atoi(tables)
	return err != nil || n >= crowded
}

// pause waits for d or the end of the store.
func (s *Store) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.closing.Done():
	}
}

// behind returns the size of the newest log if there is an older one whose
// table is not made yet.
func (w *wal) behind() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.segs) < 2 {
		return 0
	}
	return w.segs[len(w.segs)-1].size
}
