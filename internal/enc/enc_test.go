package enc

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, v := range []uint64{0, 1, 127, 128, 1 << 32, math.MaxUint64} {
		b := U64(U32(Bytes(Uvarint(nil, v), "text"), uint32(v)), v)
		b = append(b, 7)
		b = append(b, bytes.Repeat([]byte{9}, 16)...)
		r := Read(b)
		if got := r.Uvarint(); got != v {
			t.Errorf("number %d, want %d", got, v)
		}
		if got := string(r.Bytes()); got != "text" {
			t.Errorf("bytes %q", got)
		}
		if got := r.U32(); uint64(got) != uint64(uint32(v)) {
			t.Errorf("four bytes: %d, want %d", got, uint32(v))
		}
		if got := r.U64(); got != v {
			t.Errorf("eight bytes: %d, want %d", got, v)
		}
		if r.Byte() != 7 || r.ID() != [16]byte(bytes.Repeat([]byte{9}, 16)) || r.Rest() != 0 || r.Done() != nil {
			t.Errorf("the end: %d left, %v", r.Rest(), r.Done())
		}
	}
}

// After the first fault everything reads as zero, and Err goes on telling.
func TestFaults(t *testing.T) {
	for name, read := range map[string]func(r *Reader){
		"number": func(r *Reader) { r.Uvarint() },
		"bytes":  func(r *Reader) { r.Bytes() },
		"take":   func(r *Reader) { r.Take(math.MaxUint64) },
		"count":  func(r *Reader) { r.Count(4) },
		"u32":    func(r *Reader) { r.U32() },
		"u64":    func(r *Reader) { r.U64() },
		"id":     func(r *Reader) { r.ID() },
	} {
		r := Read([]byte{0xff, 0xff}) // a number that does not end
		read(&r)
		if !errors.Is(r.Err(), ErrMalformed) || !errors.Is(r.Done(), ErrMalformed) {
			t.Errorf("%s: %v, %v", name, r.Err(), r.Done())
		}
		if r.Rest() != 0 || r.Byte() != 0 || r.Uvarint() != 0 || r.Bytes() != nil || r.U64() != 0 {
			t.Errorf("%s: something is read after the fault", name)
		}
	}
	r := Read([]byte{1, 2})
	if r.Byte(); !errors.Is(r.Done(), ErrMalformed) {
		t.Error("bytes left over are no fault")
	}
}

// A count never promises more items than there are bytes for.
func TestCountIsBounded(t *testing.T) {
	for _, c := range []struct {
		items, size uint64
		rest, want  int
	}{{3, 4, 12, 3}, {3, 4, 11, 0}, {0, 4, 0, 0}, {math.MaxUint64, 1, 100, 0}, {1 << 62, 4, 100, 0}} {
		r := Read(append(Uvarint(nil, c.items), make([]byte, c.rest)...))
		if got := r.Count(c.size); got != c.want || (r.Err() != nil) != (c.want == 0 && c.items > 0) {
			t.Errorf("%+v: %d, %v", c, got, r.Err())
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 0xff, 0x80, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := Read(b)
		for r.Err() == nil && r.Rest() > 0 {
			switch before := r.Rest(); r.Byte() % 5 {
			case 0:
				r.Uvarint()
			case 1:
				r.Bytes()
			case 2:
				r.U32()
			case 3:
				r.Count(3)
			case 4:
				if r.Take(2); r.Rest() >= before {
					t.Fatal("nothing was taken")
				}
			}
		}
	})
}
