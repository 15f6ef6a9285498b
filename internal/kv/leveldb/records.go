package leveldb

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// Logs and manifests are blocks of 32 KiB, filled with chunks: a checksum (4
// bytes) of what follows the length, a length (2), a type (1), the payload. A
// record is one chunk, or a first, any middle and a last one. goleveldb reads
// on behind a damaged chunk, which would let later batches survive without
// earlier ones; so it is given whole records up to the first damage only.
const (
	blockSize   = 32 << 10
	chunkHeader = 7
)

const (
	chunkFull = iota + 1
	chunkFirst
	chunkMiddle
	chunkLast
)

// intact returns how much of a log or manifest goleveldb may see. The torn end
// that a crash leaves behind is cut off. It is damage, not a torn end, if
// something was written behind it that is only written once it is synced: a
// later record of a manifest, a later log.
func (d *disk) intact(fd storage.FileDesc, r io.ReaderAt, size int64) (int64, error) {
	if fd.Type == storage.TypeJournal && d.torn {
		return 0, damaged(fd, "it follows a log that is not whole")
	}
	n, more, err := wholeRecords(r, size)
	if err != nil {
		return 0, err
	}
	d.torn = d.torn || fd.Type == storage.TypeJournal && n < size
	if fd.Type == storage.TypeManifest && more {
		return 0, damaged(fd, "a damaged record with whole ones behind it")
	}
	return n, nil
}

func damaged(fd storage.FileDesc, what string) error {
	return &storage.ErrCorrupted{Fd: fd, Err: errors.New(what)}
}

// wholeRecords returns the length of the whole records that a file begins
// with, and whether the sound begin of another follows the first damage.
func wholeRecords(r io.ReaderAt, size int64) (n int64, more bool, err error) {
	buf := make([]byte, blockSize)
	inside, damage := false, false // of a record; was met
	for at := int64(0); at < size; at += blockSize {
		block := buf[:min(blockSize, size-at)]
		if m, err := r.ReadAt(block, at); m < len(block) {
			return 0, false, err
		}
		for off := 0; off+chunkHeader <= len(block); {
			end, kind := chunkAt(block, off)
			starts := kind == chunkFull || kind == chunkFirst
			switch {
			case starts && (damage || inside):
				return n, true, nil
			case kind == 0, !starts && !inside:
				damage = true // n stays; what is left to learn is what follows
			case kind == chunkFull, kind == chunkLast:
				n = at + int64(end)
			}
			inside = !damage && (kind == chunkFirst || kind == chunkMiddle)
			if end == 0 {
				break
			}
			off = end
		}
	}
	return n, false, nil
}

// chunkAt returns where the chunk at off ends, 0 if not even its length makes
// sense, and its type, 0 if it is damaged.
func chunkAt(block []byte, off int) (end, kind int) {
	size := int(binary.LittleEndian.Uint16(block[off+4:]))
	kind = int(block[off+6])
	end = off + chunkHeader + size
	if kind < chunkFull || kind > chunkLast || end > len(block) {
		return 0, 0
	}
	if binary.LittleEndian.Uint32(block[off:]) != util.NewCRC(block[off+6:end]).Value() {
		return end, 0
	}
	return end, kind
}
