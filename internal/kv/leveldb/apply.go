package leveldb

import (
	"bytes"
	"context"
	"errors"

	"github.com/syndtr/goleveldb/leveldb"

	"github.com/merchantim/merchantim/internal/kv"
)

// groupBytes is how much of one Apply goes into one write of the database.
const groupBytes = 4 << 20

// writer gathers the batches of one Apply. It is kept between calls for its
// buffers; the holder of Store.write owns it.
type writer struct {
	db    *leveldb.DB
	n     int           // batches of the call
	batch leveldb.Batch // the group being gathered
	group int           // index of its first batch
	key   []byte        // physical key in the making
	watch watch
	errs  []error
}

// Apply implements kv.Store. The batches of a call that pass their conditions
// go to the database together.
func (s *Store) Apply(ctx context.Context, batches []kv.Batch) []error {
	if len(batches) == 0 {
		return nil
	}
	s.write.Lock()
	defer s.write.Unlock()
	db, err := s.beginWrite(ctx)
	if err != nil {
		return all(len(batches), err)
	}
	defer s.done()
	w := &s.writer
	w.begin(db, batches)
	defer w.end()
	w.apply(batches)
	if !s.opt.LazyLog {
		if err := s.disk.wal.flush(s.disk.wal.end(), false); err != nil {
			w.failFrom(0, portError(err))
		}
	}
	return w.errs
}

func all(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func (w *writer) begin(db *leveldb.DB, batches []kv.Batch) {
	w.db, w.n, w.group, w.errs = db, len(batches), 0, nil
	w.batch.Reset()
	w.watch.begin(batches, w.buf())
}

// end lets go of what a huge call has left behind, and of the caller's slices.
func (w *writer) end() {
	if cap(w.batch.Dump()) > 4*groupBytes {
		w.batch = leveldb.Batch{}
	}
	w.db, w.errs = nil, nil
	w.watch.end()
}

func (w *writer) buf() []byte {
	if w.key == nil {
		w.key = make([]byte, 0, prefixMax+kv.MaxKey)
	}
	return w.key[:0]
}

// fail notes an error that concerns batch i alone.
func (w *writer) fail(i int, err error) {
	if w.errs == nil {
		w.errs = make([]error, w.n)
	}
	w.errs[i] = err
}

func (w *writer) failFrom(i int, err error) {
	for ; i < w.n; i++ {
		w.fail(i, err)
	}
}

// apply adds all batches and writes them in groups. An error of the database
// ends it; what was gathered before the error is still written.
func (w *writer) apply(batches []kv.Batch) {
	for i := range batches {
		if err := w.add(i, &batches[i]); err != nil {
			if ferr := w.flush(i); ferr != nil {
				i, err = w.group, ferr
			}
			w.failFrom(i, err)
			return
		}
		if i == w.n-1 || len(w.batch.Dump()) >= groupBytes {
			if err := w.flush(i + 1); err != nil {
				w.failFrom(w.group, err)
				return
			}
		}
	}
}

// add puts batch i into the group if its conditions hold; its error is one
// that ends the call.
func (w *writer) add(i int, b *kv.Batch) error {
	if err := b.Check(); err != nil {
		w.fail(i, err)
		return nil
	}
	key := appendPrefix(w.buf(), b.Partition)
	holds, err := w.holds(b.If, key)
	if err != nil {
		return err
	}
	if !holds {
		w.fail(i, kv.ErrConflict)
		return nil
	}
	for _, op := range b.Ops {
		k := append(key, op.Key...)
		w.watch.note(k, op)
		if op.Delete {
			w.batch.Delete(k)
		} else {
			w.batch.Put(k, op.Value)
		}
	}
	return nil
}

// holds tells whether all conditions hold, as of the batches added so far.
func (w *writer) holds(conds []kv.Cond, prefix []byte) (bool, error) {
	for _, c := range conds {
		k := append(prefix, c.Key...)
		value, there, known := w.watch.get(k)
		if !known {
			var err error
			if value, there, err = w.stored(k, c.Absent); err != nil {
				return false, err
			}
		}
		if there == c.Absent || there && !bytes.Equal(value, c.Value) {
			return false, nil
		}
	}
	return true, nil
}

// stored asks the database; without the value if that does not matter.
func (w *writer) stored(key []byte, presence bool) (value []byte, there bool, err error) {
	if presence {
		there, err = w.db.Has(key, nil)
		return nil, there, portError(err)
	}
	value, err = w.db.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, false, nil
	}
	return value, err == nil, portError(err)
}

// flush writes the group, whose last batch is the one before next.
func (w *writer) flush(next int) error {
	if w.batch.Len() > 0 {
		if err := w.db.Write(&w.batch, nil); err != nil {
			return portError(err)
		}
		w.batch.Reset()
	}
	w.group = next
	return nil
}
