package ws

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
)

// The buffers of a connection. The server's own of 4 KiB each would make up
// half of what an idle connection costs; a usual frame fits into these.
const (
	readBuffer  = 512
	writeBuffer = 1024
)

// small is a ResponseWriter whose Hijack gives small buffers and keeps the
// bytes that were read already.
type small struct{ http.ResponseWriter }

func (s small) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err != nil {
		return nil, nil, err
	}
	// The library takes over what the reader has buffered, and nothing else.
	in := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(early)), conn), max(readBuffer, len(early)))
	if _, err := in.Peek(len(early)); err != nil {
		return nil, nil, err
	}
	return conn, bufio.NewReadWriter(in, bufio.NewWriterSize(&joiner{conn: conn}, writeBuffer)), nil
}

// joiner makes one system call of a frame that is longer than the write
// buffer: bufio hands over its full buffer, then the rest of the frame. The
// upgrade's answer passes through it, too; it begins with 'H', which no frame
// does.
type joiner struct {
	conn net.Conn
	held []byte
	left uint64 // bytes of the current frame still to come
}

func (j *joiner) Write(p []byte) (int, error) {
	if j.left == 0 {
		j.left = frameLength(p)
	}
	n := len(p)
	if uint64(n) < j.left && len(j.held)+n <= writeBuffer {
		j.held = append(j.held, p...)
		j.left -= uint64(n)
		return n, nil
	}
	j.left -= min(j.left, uint64(n))
	if len(j.held) == 0 {
		return j.conn.Write(p)
	}
	both := net.Buffers{j.held, p}
	_, err := both.WriteTo(j.conn)
	j.held = nil
	if err != nil {
		return 0, err
	}
	return n, nil
}

// frameLength is the length of an unmasked frame with its header (RFC 6455,
// section 5.2), or that of p if p does not begin with one.
func frameLength(p []byte) uint64 {
	switch {
	case len(p) < 2 || p[0] == 'H':
		return uint64(len(p))
	case p[1] < 126:
		return 2 + uint64(p[1])
	case p[1] == 126 && len(p) >= 4:
		return 4 + uint64(binary.BigEndian.Uint16(p[2:]))
	case p[1] == 127 && len(p) >= 10:
		return 10 + binary.BigEndian.Uint64(p[2:])
	}
	return uint64(len(p))
}
