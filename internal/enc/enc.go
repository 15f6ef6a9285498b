// Package enc holds the few primitives of our hand-laid encodings: varints,
// fixed integers and length-prefixed bytes. A Reader never panics and never
// allocates more than its input; after the first fault everything reads as
// zero and Err tells.
package enc

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed: the input ends too early or holds a number out of range.
var ErrMalformed = errors.New("enc: malformed")

// Uvarint appends v.
func Uvarint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

// Bytes appends a length and b.
func Bytes[T ~string | ~[]byte](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// U32 appends v in four bytes, big end first.
func U32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }

// U64 appends v in eight bytes, big end first.
func U64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

// Reader reads an encoding from its front. Slices it returns are views.
type Reader struct {
	b   []byte
	err error
}

// Read starts reading b.
func Read(b []byte) Reader { return Reader{b: b} }

// Err is the first fault, nil if there was none.
func (r *Reader) Err() error { return r.err }

// Rest is how many bytes are left.
func (r *Reader) Rest() int { return len(r.b) }

// Done is Err, or ErrMalformed if bytes are left over.
func (r *Reader) Done() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail()
	}
	return r.err
}

// Uvarint reads an unsigned number.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Take reads n bytes.
func (r *Reader) Take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// Bytes reads a length and that many bytes.
func (r *Reader) Bytes() []byte { return r.Take(r.Uvarint()) }

// Count reads a number of items of at least size bytes each that are to follow.
func (r *Reader) Count(size uint64) int {
	n := r.Uvarint()
	if n > uint64(len(r.b))/size {
		r.fail()
		return 0
	}
	return int(n)
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// U32 reads four bytes.
func (r *Reader) U32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// U64 reads eight bytes.
func (r *Reader) U64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// ID reads the sixteen bytes of an identifier.
func (r *Reader) ID() (id [16]byte) {
	copy(id[:], r.Take(16))
	return id
}

func (r *Reader) fail() {
	if r.err == nil {
		r.err = ErrMalformed
	}
	r.b = nil
}
