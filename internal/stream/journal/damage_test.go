package journal_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/vfs"
)

// image is a closed log, byte by byte, to be damaged and opened.
type image struct {
	files  []imageFile
	groups []imageGroup // in their order
}

type imageFile struct {
	name string
	data []byte
}

// imageGroup is where a group lies in which file.
type imageGroup struct{ file, at, length int }

const pageSize = 4096

// takeImage writes a log of n groups over several segments.
func takeImage(t *testing.T, n int) (image, *story) {
	t.Helper()
	fs := vfs.NewMem()
	log := openTale(t, fs, audit)
	s := newStory()
	for i := range n {
		failOn(t, s.append(log, 10+i, 3000)(), "append")
	}
	failOn(t, log.Close(), "close")
	return readImage(t, fs), s
}

func readImage(t *testing.T, fs vfs.FS) image {
	t.Helper()
	var im image
	names, err := fs.List("/log")
	failOn(t, err, "list")
	for _, name := range names {
		f, err := fs.Open(path.Join("/log", name))
		failOn(t, err, "open")
		size, err := f.Size()
		failOn(t, err, "size")
		data := make([]byte, size)
		_, err = f.ReadAt(data, 0)
		failOn(t, err, "read")
		for at := 0; at < len(data); at += pageSize {
			if at > 0 && binary.LittleEndian.Uint32(data[at:]) == 0x70726721 {
				length := int(binary.LittleEndian.Uint32(data[at+32:]))
				im.groups = append(im.groups, imageGroup{len(im.files), at, length})
			}
		}
		im.files = append(im.files, imageFile{name, data})
	}
	return im
}

// disk makes a file system of the image, after one change.
func (im image) disk(t *testing.T, change func(files [][]byte)) *vfs.Mem {
	t.Helper()
	fs := vfs.NewMem()
	failOn(t, fs.MkdirAll("/log"), "mkdir")
	files := make([][]byte, len(im.files))
	for i, f := range im.files {
		files[i] = append([]byte(nil), f.data...)
	}
	change(files)
	for i, data := range files {
		if data == nil {
			continue
		}
		f, err := fs.Create(path.Join("/log", im.files[i].name))
		failOn(t, err, "create")
		_, err = f.WriteAt(data, 0)
		failOn(t, err, "write")
		failOn(t, f.Sync(), "sync")
	}
	failOn(t, fs.SyncDir("/log"), "sync folder")
	return fs
}

// wantCorrupt opens a log that must be refused, with the place of the damage.
func wantCorrupt(t *testing.T, fs vfs.FS, what string, places ...string) {
	t.Helper()
	log, err := journal.Open(fs, "/log", taleOptions(audit))
	if err == nil {
		_ = log.Close()
		t.Fatalf("%s: opened", what)
	}
	if !errors.Is(err, stream.ErrCorrupt) {
		t.Fatalf("%s: %v", what, err)
	}
	for _, p := range places {
		if !strings.Contains(err.Error(), p) {
			t.Fatalf("%s: the error does not name %s: %v", what, p, err)
		}
	}
}

func TestFlippedBitInTheMiddleIsCorruption(t *testing.T) {
	t.Parallel()
	im, _ := takeImage(t, 40)
	rng := rand.New(rand.NewPCG(1, 4))
	for i, g := range im.groups[:len(im.groups)-1] {
		for _, at := range []int{0, 4, 8, 16, 24, 32, 36, 40, 41, g.length - 1, rng.IntN(g.length)} {
			fs := im.disk(t, func(files [][]byte) { files[g.file][g.at+at] ^= 1 << rng.IntN(8) })
			wantCorrupt(t, fs, fmt.Sprintf("group %d, byte %d", i, at), im.files[g.file].name, fmt.Sprint("offset ", g.at))
		}
	}
}

// A bit flipped in the very last group cannot be told from a torn tail: the
// group is cut off, and only it.
func TestDamagedLastGroupIsATornTail(t *testing.T) {
	im, s := takeImage(t, 20)
	last := im.groups[len(im.groups)-1]
	for at := range last.length {
		if at > 100 && at%97 != 0 {
			continue
		}
		fs := im.disk(t, func(files [][]byte) { files[last.file][last.at+at] ^= 0x10 })
		wantAllButLast(t, fs, s)
		fs = im.disk(t, func(files [][]byte) { clear(files[last.file][last.at+at : last.at+last.length]) })
		wantAllButLast(t, fs, s)
		fs = im.disk(t, func(files [][]byte) { files[last.file] = files[last.file][:last.at+at] })
		wantAllButLast(t, fs, s)
	}
}

func wantAllButLast(t *testing.T, fs vfs.FS, s *story) {
	t.Helper()
	log, err := journal.Open(fs, "/log", taleOptions(audit))
	failOn(t, err, "open")
	var total int
	for _, all := range s.partition {
		total += len(all)
	}
	var end atomic.Int64
	failOn(t, log.Consume(t.Context(), audit, func(_ context.Context, p stream.Partition) error {
		end.Add(p.End())
		return nil
	}), "consume")
	tell(t, log, 0, "in place of the last")
	failOn(t, log.Close(), "close")
	failOn(t, openTale(t, fs, audit).Close(), "close again")
	if end.Load() != int64(total)-2 { // the last append had two records
		t.Fatalf("%d of %d records are left", end.Load(), total)
	}
}

func TestDamagedHeaderIsCorruption(t *testing.T) {
	t.Parallel()
	im, _ := takeImage(t, 40)
	used := im.groups[len(im.groups)-1].file
	for file := range used + 1 {
		for at := range 100 {
			fs := im.disk(t, func(files [][]byte) { files[file][at] ^= 1 })
			wantCorrupt(t, fs, fmt.Sprintf("header %d, byte %d", file, at), im.files[file].name)
		}
	}
}

func TestMissingSegmentIsCorruption(t *testing.T) {
	im, _ := takeImage(t, 40)
	used := im.groups[len(im.groups)-1].file
	if used < 3 {
		t.Fatalf("only %d segments", used+1)
	}
	for file := range used { // without the last, the log would just be shorter
		fs := im.disk(t, func(files [][]byte) { files[file] = nil })
		wantCorrupt(t, fs, fmt.Sprintf("without segment %d", file))
	}
	fs := im.disk(t, func(files [][]byte) {
		for file := range used + 1 {
			files[file] = nil
		}
	})
	wantCorrupt(t, fs, "with an unused segment only")
	fs = im.disk(t, func(files [][]byte) { files[1], files[2] = files[2], files[1] })
	wantCorrupt(t, fs, "with two segments exchanged")
}

// A write that the disk put elsewhere, or nowhere, was answered and is found
// out by what follows it, or by the group that lies in the wrong place.
func TestMisdirectedWriteIsCorruption(t *testing.T) {
	t.Parallel()
	for _, away := range []int64{-65536, -8192, -4096, -512, -1, 1, 512, 4096, 5000, 8192, 20480, 65536} {
		for n := int64(1); n < 12; n++ {
			for _, after := range []int{0, 1, 3} {
				fs := misdirected(t, n, after, vfs.Fault{Effect: vfs.Misplaced, At: away})
				wantCorrupt(t, fs, fmt.Sprintf("write %d, %d bytes away, %d writes after it", n, away, after))
			}
		}
	}
	for n := int64(1); n < 12; n++ {
		fs := misdirected(t, n, 1, vfs.Fault{Effect: vfs.Nothing})
		wantCorrupt(t, fs, fmt.Sprintf("write %d was lost", n))
	}
}

// misdirected writes n good groups, one with the fault, and some after it. All
// groups fit into the first segment.
func misdirected(t *testing.T, n int64, after int, fault vfs.Fault) vfs.FS {
	t.Helper()
	disk := vfs.NewMem()
	writes := int64(0)
	log := openTale(t, vfs.Faulty(disk, func(op vfs.Op) vfs.Fault {
		if op.Kind != vfs.OpWrite {
			return vfs.Fault{}
		}
		if writes++; writes == n+1 { // the first write is the header
			return fault
		}
		return vfs.Fault{}
	}), audit)
	s := newStory()
	for range n + int64(after) {
		failOn(t, s.append(log, 300)(), "append")
	}
	failOn(t, log.Close(), "close")
	return disk
}

// What clients write is never taken for a group, even if it is one: here of
// another log, inside a tail that a crash tore.
func TestContentCannotImitateAGroup(t *testing.T) {
	im, _ := takeImage(t, 3)
	g := im.groups[1]
	forged := im.files[g.file].data[g.at : g.at+g.length]
	fs := vfs.NewMem()
	log := openTale(t, fs, audit)
	recs := []stream.Record{{Value: forged}, {Value: append(make([]byte, pageSize), forged...)}}
	answer := make(chan error, 1)
	failOn(t, log.Append(tales, recs, func(err error) { answer <- err }), "append")
	failOn(t, <-answer, "answer")
	failOn(t, log.Close(), "close")
	im = readImage(t, fs)
	torn := im.disk(t, func(files [][]byte) { files[im.groups[0].file][im.groups[0].at+45] ^= 1 })
	log, err := journal.Open(torn, "/log", taleOptions(audit))
	failOn(t, err, "open with a torn tail that holds a foreign group")
	failOn(t, log.Close(), "close")
}

// A reader that lags meets the damage that came after the log was opened.
func TestReaderNoticesDamage(t *testing.T) {
	fs := vfs.NewMem()
	log := openTale(t, fs, audit)
	s := newStory()
	for i := range 40 {
		failOn(t, s.append(log, 10+i, 3000)(), "append")
	}
	im := readImage(t, fs)
	f, err := fs.Open(path.Join("/log", im.files[0].name))
	failOn(t, err, "open")
	_, err = f.WriteAt([]byte{0xff}, int64(im.groups[2].at+50))
	failOn(t, err, "write")
	if err := s.read(log, audit, false); !errors.Is(err, stream.ErrCorrupt) || !strings.Contains(err.Error(), im.files[0].name) {
		t.Fatalf("consume over a damaged group: %v", err)
	}
	if err := s.append(log, 10)(); err != nil {
		t.Fatalf("append beside it: %v", err)
	}
}

// A crash may keep the sectors of the last group and not those of its padding,
// where a file that is used again still has what it held in an earlier life.
// Nothing is wrong then, and nothing is lost; the next start sees nothing of it.
func TestTornPaddingIsNoDamage(t *testing.T) {
	im, s := takeImage(t, 20)
	last := im.groups[len(im.groups)-1]
	end := last.at + last.length
	page := (end + pageSize - 1) / pageSize * pageSize
	for from := (end + 511) / 512 * 512; from < page; from += 512 {
		fs := im.disk(t, func(files [][]byte) {
			for at := from; at < page+pageSize; at++ {
				files[last.file][at] = byte(at)
			}
		})
		log := openTale(t, fs, audit)
		failOn(t, s.read(log, audit, false), "read")
		failOn(t, log.Close(), "close")
		failOn(t, s.check(fs.Crash(rand.New(rand.NewPCG(uint64(from), 14)))), "sector at %d", from)
	}
	before := im.groups[len(im.groups)-2]
	if before.file != last.file {
		t.Fatal("the last group is alone in its segment")
	}
	fs := im.disk(t, func(files [][]byte) { files[before.file][before.at+before.length] = 1 })
	wantCorrupt(t, fs, "padding between groups", im.files[before.file].name)
	// The same behind a header with no group after it.
	fs = vfs.NewMem()
	failOn(t, openTale(t, fs, audit).Close(), "close")
	im = readImage(t, fs)
	fs = im.disk(t, func(files [][]byte) { files[0][pageSize-1] = 1 })
	log := openTale(t, fs, audit)
	tell(t, log, 0, "the first")
	failOn(t, log.Close(), "close")
	failOn(t, openTale(t, fs, audit).Close(), "open again")
}
