package leveldb

import (
	"context"
	"sync"

	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/merchantim/merchantim/internal/kv"
)

// keyBufs are buffers for physical keys of readers.
var keyBufs = sync.Pool{New: func() any { b := make([]byte, 0, prefixMax+kv.MaxKey); return &b }}

// Get implements kv.Store.
func (s *Store) Get(ctx context.Context, partition, key []byte) ([]byte, error) {
	if err := kv.CheckKey(partition, key); err != nil {
		return nil, err
	}
	db, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.done()
	buf := keyBufs.Get().(*[]byte)
	defer keyBufs.Put(buf)
	*buf = append(appendPrefix((*buf)[:0], partition), key...)
	value, err := db.Get(*buf, nil)
	return value, portError(err)
}

// Scan implements kv.Store.
func (s *Store) Scan(ctx context.Context, partition []byte, r kv.Range, fn func(key, value []byte) error) error {
	if err := kv.CheckPartition(partition); err != nil {
		return err
	}
	db, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer s.done()
	prefix := appendPrefix(make([]byte, 0, prefixMax), partition)
	bounds := util.Range{Start: prefix, Limit: successor(prefix)}
	if r.From != nil {
		bounds.Start = append(prefix[:len(prefix):len(prefix)], r.From...)
	}
	if r.To != nil {
		bounds.Limit = append(prefix[:len(prefix):len(prefix)], r.To...)
	}
	if string(bounds.Start) >= string(bounds.Limit) {
		return nil
	}
	it := db.NewIterator(&bounds, nil)
	defer it.Release()
	err = walk(ctx, it, r, func(key, value []byte) error { return fn(key[len(prefix):], value) })
	if err == kv.Stop {
		return nil
	}
	return err
}

// walk calls fn for what the iterator has, as the range wants it.
func walk(ctx context.Context, it iterator.Iterator, r kv.Range, fn func(key, value []byte) error) error {
	first, next := it.First, it.Next
	if r.Reverse {
		first, next = it.Last, it.Prev
	}
	n := 0
	for ok := first(); ok; ok = next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(it.Key(), it.Value()); err != nil {
			return err
		}
		if n++; n == r.Limit {
			return nil
		}
	}
	return portError(it.Error())
}
