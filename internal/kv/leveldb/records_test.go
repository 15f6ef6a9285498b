package leveldb

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/journal"
	"github.com/syndtr/goleveldb/leveldb/storage"
	"pgregory.net/rapid"
)

// writeLog is a log of goleveldb's own making, and where each record ends.
func writeLog(t testing.TB, sizes []int) (log []byte, ends []int) {
	t.Helper()
	var buf bytes.Buffer
	w := journal.NewWriter(&buf)
	for i, n := range sizes {
		r, err := w.Next()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Write(bytes.Repeat([]byte{byte(i + 1)}, n)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, buf.Len())
	}
	return buf.Bytes(), ends
}

// lastEnd is the end of the last record that ends at or before n.
func lastEnd(ends []int, n int) (end, records int) {
	for _, e := range ends {
		if e <= n {
			end, records = e, records+1
		}
	}
	return end, records
}

func TestWholeRecords(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int{1, 100, 5000, blockSize - 7, blockSize - 14, blockSize, 80_000}), 1, 8).Draw(rt, "sizes")
		log, ends := writeLog(t, sizes)
		cut := rapid.IntRange(0, len(log)).Draw(rt, "cut")
		n, more, err := wholeRecords(bytes.NewReader(log[:cut]), int64(cut))
		want, _ := lastEnd(ends, cut)
		if err != nil || more || n != int64(want) {
			rt.Fatalf("cut at %d of %v: %d, %v, %v; want %d", cut, ends, n, more, err, want)
		}

		at := rapid.IntRange(0, len(log)-1).Draw(rt, "at")
		log[at] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		n, _, err = wholeRecords(bytes.NewReader(log), int64(len(log)))
		if want, _ = lastEnd(ends, at); err != nil || n > int64(len(log)) || n < int64(want) {
			rt.Fatalf("damage at %d of %v: %d, %v", at, ends, n, err)
		}
		if _, count := lastEnd(ends, int(n)); readable(log[:n]) != count {
			rt.Fatalf("damage at %d: goleveldb reads %d records of %d bytes; want %d", at, readable(log[:n]), n, count)
		}
	})
}

// readable counts the records that goleveldb reads.
func readable(log []byte) (records int) {
	r := journal.NewReader(bytes.NewReader(log), nil, true, true)
	for {
		rec, err := r.Next()
		if err != nil {
			return records
		}
		if _, err := io.Copy(io.Discard, rec); err != nil {
			return records
		}
		records++
	}
}

// TestDamageIsNoTornEnd: a manifest's record is synced before the next one is
// written, so that damage before a sound record is no work of a crash.
func TestDamageIsNoTornEnd(t *testing.T) {
	log, ends := writeLog(t, []int{100, 100, 40_000, 100})
	for _, c := range []struct {
		at   int
		torn bool
	}{{10, false}, {ends[0] + 50, false}, {ends[1] + 100, false}, {ends[2] - 100, false}, {ends[2] + 20, true}} {
		bad := bytes.Clone(log)
		bad[c.at] ^= 0x40
		d := &disk{}
		_, err := d.intact(storage.FileDesc{Type: storage.TypeManifest}, bytes.NewReader(bad), int64(len(bad)))
		var corrupt *storage.ErrCorrupted
		if errors.As(err, &corrupt) == c.torn {
			t.Errorf("damage at %d: %v", c.at, err)
		}
	}
}

func FuzzWholeRecords(f *testing.F) {
	log, _ := writeLog(f, []int{10, 1000, 40_000})
	f.Add(log)
	f.Add(log[:20_000])
	f.Add(make([]byte, blockSize+20))
	f.Fuzz(func(t *testing.T, log []byte) {
		n, _, err := wholeRecords(bytes.NewReader(log), int64(len(log)))
		if err != nil || n < 0 || n > int64(len(log)) {
			t.Fatalf("%d of %d bytes, %v", n, len(log), err)
		}
		// What is let through is whole: goleveldb reads it without complaint.
		r := journal.NewReader(bytes.NewReader(log[:n]), nil, true, true)
		for {
			rec, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				_, err = io.Copy(io.Discard, rec)
			}
			if err != nil {
				t.Fatalf("of %d bytes: %v", n, err)
			}
		}
	})
}

// TestALogBehindATornOneIsDamage: a log is begun only when the one before it is
// synced, so that behind a torn one there is none that a crash could have left.
// Read all the same, its batches would survive without earlier ones.
func TestALogBehindATornOneIsDamage(t *testing.T) {
	log, ends := writeLog(t, []int{100, 100})
	d := &disk{}
	read := func(num int64, size int) (int64, error) {
		fd := storage.FileDesc{Type: storage.TypeJournal, Num: num}
		return d.intact(fd, bytes.NewReader(log[:size]), int64(size))
	}
	if n, err := read(1, len(log)); err != nil || n != int64(len(log)) {
		t.Errorf("a whole log: %d, %v", n, err)
	}
	if n, err := read(2, len(log)-1); err != nil || n != int64(ends[0]) {
		t.Errorf("a torn log: %d, %v", n, err)
	}
	if _, err := read(3, len(log)); !errors.As(err, new(*storage.ErrCorrupted)) {
		t.Errorf("the log behind it: %v", err)
	}
}
