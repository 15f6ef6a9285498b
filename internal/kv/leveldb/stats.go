package leveldb

import (
	"time"

	"github.com/syndtr/goleveldb/leveldb"

	"github.com/merchantim/merchantim/internal/kv"
)

// delays sums up how long writers were held back.
type delays struct {
	n    int64
	time time.Duration
}

func (d *delays) add(db *leveldb.DB) (paused bool, tables int64) {
	var st leveldb.DBStats
	if db.Stats(&st) != nil { // closed meanwhile: nothing to add
		return false, 0
	}
	d.n += int64(st.WriteDelayCount)
	d.time += st.WriteDelayDuration
	return st.WritePaused, st.LevelSizes.Sum()
}

// Stats implements kv.Store. Of a store that is closed or down it returns what
// is known without its database.
func (s *Store) Stats() kv.Stats {
	st := kv.Stats{BytesWritten: s.disk.written.Load(), BytesRead: s.disk.read.Load(), DiskBytes: s.disk.wal.fileBytes()}
	s.life.Lock()
	sum := s.delays
	s.life.Unlock()
	if db, err := s.use(); err == nil {
		var tables int64
		st.WritePaused, tables = sum.add(db)
		st.DiskBytes += tables
		s.done()
	}
	st.WriteDelays, st.WriteDelaySeconds = sum.n, sum.time.Seconds()
	return st
}

// fileBytes returns how much the files of the logs hold, at least.
func (w *wal) fileBytes() (n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.segs {
		n += s.synced
	}
	return n
}
