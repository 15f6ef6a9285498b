package journal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

func exampleHeader() *segmentHeader {
	return &segmentHeader{
		incarnation: 2, salt: 0x1122334455667788, number: 9, sequence: 77,
		topics: []topicOffsets{{id: 1, name: "single", next: []int64{5, 0, 9}}},
		groups: []groupOffsets{{name: "sequencer", topic: 1, committed: []int64{4, 0, 9}}},
	}
}

// The layout on disk is a promise: these bytes never change for version 1.
func TestEncodingIsFixed(t *testing.T) {
	const golden = 0x7c1abeca
	b := exampleHeader().encode()
	g := make([]byte, groupHead+recordSize([]byte("key"), []byte("value")))
	putRecord(g[groupHead:], 7, 513, 1<<40, []byte("key"), []byte("value"))
	g = appendControl(g, "sequencer", 2, 99)
	sealGroup(g, 0x1122334455667788, 77, 8192, 2)
	if got := crc32.ChecksumIEEE(append(b, g...)); got != golden {
		t.Fatalf("checksum of the encodings is %#x, was %#x: %x", got, golden, append(b, g...))
	}
}

func FuzzSegmentHeader(f *testing.F) {
	f.Add(exampleHeader().encode(), false)
	f.Add((&segmentHeader{}).encode(), true)
	f.Add([]byte(segmentMagic), true)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if n, err := headerLength(b); seal && err == nil && n <= int64(len(b)) {
			binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[12:n], castagnoli))
		}
		h, err := decodeSegmentHeader(b)
		if err != nil {
			return
		}
		if again := h.encode(); !bytes.Equal(again, b[:len(again)]) {
			t.Fatalf("decoded and encoded again it differs:\n%x\n%x", b, again)
		}
	})
}

func FuzzGroup(f *testing.F) {
	g := make([]byte, groupHead+recordSize([]byte("key"), []byte("value")))
	putRecord(g[groupHead:], 7, 513, 1<<40, []byte("key"), []byte("value"))
	sealGroup(g, 1, 2, 3, 1)
	f.Add(g, uint32(1))
	f.Add(appendControl(make([]byte, groupHead), "g", 1, 5), uint32(1))
	f.Fuzz(func(t *testing.T, b []byte, records uint32) {
		_, _ = decodeGroupHead(b)
		if len(b) < groupHead {
			return
		}
		again := make([]byte, groupHead, len(b))
		err := eachRecord(b, records%1000, func(at int, e entry) error {
			if e.topic == controlTopic {
				_, _, _ = decodeControl(e)
			}
			again = append(again, make([]byte, e.size)...)
			putRecord(again[at:], e.topic, e.partition, e.offset, e.key, e.value)
			return nil
		})
		if err == nil && !bytes.Equal(again[groupHead:], b[groupHead:]) {
			t.Fatalf("decoded and encoded again it differs:\n%x\n%x", b, again)
		}
	})
}

// FuzzOpen opens a log with changed bytes, and with checksums that fit them if
// seal is set. It must refuse it or be of use, whatever the bytes are.
func FuzzOpen(f *testing.F) {
	name, good := exampleSegment(f)
	f.Add(uint16(0), []byte{}, false)
	f.Add(uint16(20), []byte{9}, true)
	f.Add(uint16(pageSize+groupHead), []byte{0xff, 0xff, 0, 0}, true)
	f.Add(uint16(pageSize+36), []byte{200}, true)
	f.Add(uint16(2*pageSize+24), []byte{0, 0}, true)
	f.Fuzz(func(t *testing.T, at uint16, patch []byte, seal bool) {
		data := bytes.Clone(good)
		copy(data[at:], patch)
		if seal {
			sealAll(data)
		}
		fs := vfs.NewMem()
		fuzzFile(t, fs, name, data)
		for range 2 {
			log, err := Open(fs, "/log", exampleOptions())
			if err != nil {
				return
			}
			answer := make(chan error, 1)
			if err := log.Append(1, []stream.Record{{Value: []byte("v")}}, func(err error) { answer <- err }); err != nil {
				t.Fatal(err)
			}
			if err := <-answer; err != nil {
				t.Fatal(err)
			}
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func exampleOptions() Options {
	return Options{
		Topics: []stream.Topic{{ID: 1, Name: "single", Partitions: 3}}, Groups: []stream.Group{{Name: "sequencer", Topic: 1}},
		SegmentBytes: 64 << 10, MaxRecordBytes: 4096, SyncInterval: -1,
	}
}

// exampleSegment is a log of one segment.
func exampleSegment(f *testing.F) (name string, data []byte) {
	f.Helper()
	fs := vfs.NewMem()
	log, err := Open(fs, "/log", exampleOptions())
	if err != nil {
		f.Fatal(err)
	}
	for i := range 6 {
		answer := make(chan error, 1)
		recs := []stream.Record{{Partition: int32(i % 3), Key: []byte("k"), Value: []byte("value")}}
		if err := log.Append(1, recs, func(err error) { answer <- err }); err != nil {
			f.Fatal(err)
		}
		if err := <-answer; err != nil {
			f.Fatal(err)
		}
	}
	name = log.committer.seg.path
	if err := log.Close(); err != nil {
		f.Fatal(err)
	}
	file, err := fs.Open(name)
	if err != nil {
		f.Fatal(err)
	}
	data = make([]byte, 64<<10)
	if _, err := file.ReadAt(data, 0); err != nil {
		f.Fatal(err)
	}
	return name, data
}

// sealAll makes the checksums of header and groups fit what they cover.
func sealAll(data []byte) {
	if n, err := headerLength(data); err == nil && n <= int64(len(data)) {
		binary.LittleEndian.PutUint32(data[8:], crc32.Checksum(data[12:n], castagnoli))
	}
	for at := int64(pageSize); at < int64(len(data)); at += pageSize {
		if g, ok := decodeGroupHead(data[at:]); ok && at+g.length <= int64(len(data)) {
			binary.LittleEndian.PutUint32(data[at+4:], crc32.Checksum(data[at+8:at+g.length], castagnoli))
		}
	}
}

func fuzzFile(t *testing.T, fs vfs.FS, name string, data []byte) {
	t.Helper()
	if err := fs.MkdirAll("/log"); err != nil {
		t.Fatal(err)
	}
	file, err := fs.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		t.Fatal(err)
	}
}

func TestSegmentHeaderRoundTrip(t *testing.T) {
	want := exampleHeader()
	got, err := decodeSegmentHeader(append(want.encode(), 1, 2, 3))
	if err != nil {
		t.Fatal(err)
	}
	opt := cmp.AllowUnexported(segmentHeader{}, topicOffsets{}, groupOffsets{})
	if d := cmp.Diff(want, got, opt); d != "" {
		t.Fatal(d)
	}
}
