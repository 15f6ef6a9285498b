package e2e

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

const upgrade = "GET /v1/link HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " + wire.Subprotocol + "\r\n\r\n"

// masked is a WebSocket frame of a client, masked with zeros.
func masked(final bool, opcode byte, payload []byte) []byte {
	if final {
		opcode |= 0x80
	}
	frame := []byte{opcode}
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, 0x80|byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 0x80|127), uint64(n))
	}
	return append(append(frame, 0, 0, 0, 0), payload...)
}

// tcp is a connection without a WebSocket library.
type tcp struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// knock connects and writes these bytes at once.
func (s *server) knock(first ...[]byte) *tcp {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() }) // it may be closed already
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	c := &tcp{s.t, conn, bufio.NewReader(conn)}
	var all []byte
	for _, b := range first {
		all = append(all, b...)
	}
	c.write(all)
	return c
}

func (c *tcp) write(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *tcp) upgraded() {
	c.t.Helper()
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		c.t.Fatalf("answered with %s", res.Status)
	}
}

// frames reads n frames of the protocol.
func (c *tcp) frames(n int) (all []*wire.Received) {
	c.t.Helper()
	for len(all) < n {
		lines := wire.SplitAny(c.message())
		for line, ok := lines.Next(); ok; line, ok = lines.Next() {
			f, err := wire.Receive(line)
			if err != nil {
				c.t.Fatal(err)
			}
			all = append(all, f)
		}
	}
	return all
}

func (c *tcp) message() []byte {
	c.t.Helper()
	var head [2]byte
	_, err := io.ReadFull(c.in, head[:])
	size := uint64(head[1])
	if err == nil && size == 126 {
		var n uint16
		err = binary.Read(c.in, binary.BigEndian, &n)
		size = uint64(n)
	} else if err == nil && size == 127 {
		err = binary.Read(c.in, binary.BigEndian, &size)
	}
	payload := make([]byte, size)
	if err == nil {
		_, err = io.ReadFull(c.in, payload)
	}
	if err != nil || head[0] != 0x81 {
		c.t.Fatalf("a frame that begins with %x: %v", head, err)
	}
	return payload
}

// A client that does not wait for the upgrade to be answered loses nothing,
// however much it sends with it.
func TestFramesSentWithTheUpgradeArrive(t *testing.T) {
	s := serve(t)
	hello := masked(true, 1, wire.AppendHello(nil, "h", s.token("alice"), "d"))
	for _, n := range []int{0, 1, 3, 20, 50} { // below and above every buffer's size
		early := [][]byte{[]byte(upgrade), hello}
		for i := range n {
			ping := fmt.Appendf(nil, `{"type":"ping","id":"p%d"}%s`, i, strings.Repeat(" ", 100))
			early = append(early, masked(true, 1, ping))
		}
		c := s.knock(early...)
		c.upgraded()
		got := c.frames(n + 1)
		if got[0].Type != "welcome" {
			t.Errorf("the first frame is %+v", got[0])
		}
		for i, f := range got[1:] {
			if f.Type != "pong" || f.ID != fmt.Sprint("p", i) {
				t.Errorf("answer %d of %d is %+v", i, n, f)
			}
		}
	}
}

func TestAMessageMayComeInFragments(t *testing.T) {
	s := serve(t)
	c := s.knock([]byte(upgrade))
	c.upgraded()
	text := append(wire.AppendHello(nil, "h", s.token("alice"), "d"), "\n"+`{"type":"ping","id":"p"}`...)
	for i := range text { // a byte each, and a WebSocket ping between them
		opcode := byte(0)
		if i == 0 {
			opcode = 1
		}
		c.write(masked(false, opcode, text[i:i+1]))
	}
	c.write(masked(true, 0, nil))
	if got := c.frames(2); got[0].Type != "welcome" || got[1].ID != "p" {
		t.Errorf("%+v %+v", got[0], got[1])
	}
}

// Those who vanish, dawdle or talk nonsense do not disturb the others, and do
// not hold up a stop.
func TestHalfOpenConnectionsDisturbNobody(t *testing.T) {
	s := serve(t)
	s.knock()                                        // never speaks
	s.knock([]byte(upgrade[:40]))                    // half a request
	s.knock([]byte("\x16\x03\x01 not HTTP\r\n\r\n")) // nonsense
	s.knock([]byte(upgrade)).upgraded()              // never says hello
	half := s.knock([]byte(upgrade), masked(true, 1, wire.AppendHello(nil, "h", s.token("bob"), "d"))[:20])
	half.upgraded()
	unmasked := s.knock([]byte(upgrade), []byte{0x81, 2, '{', '}'})
	unmasked.upgraded()
	if _, err := io.ReadAll(unmasked.in); err != nil {
		t.Errorf("a frame without a mask: %v", err)
	}
	vanished := s.knock([]byte(upgrade), masked(true, 1, wire.AppendHello(nil, "h", s.token("bob"), "d")))
	vanished.upgraded()
	vanished.frames(1)
	if err := vanished.conn.Close(); err != nil {
		t.Fatal(err)
	}
	alice := s.enter("alice")
	id := alice.open("bob")
	if sent := alice.send(id, "k", "hello"); sent.Index != 1 {
		t.Errorf("%+v", sent)
	}
	if err := s.end(); err != nil {
		t.Errorf("the end: %v", err)
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	s := serve(t)
	for request, want := range map[string]int{
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":                              http.StatusNotFound,
		"POST /v1/link HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n": http.StatusMethodNotAllowed,
		"GET /v1/link HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":                       http.StatusUpgradeRequired,
		"GET /v1/link HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 64<<10) + "\r\n\r\n":  http.StatusRequestHeaderFieldsTooLarge,
	} {
		c := s.knock([]byte(request))
		res, err := http.ReadResponse(c.in, nil)
		if err != nil || res.StatusCode != want {
			t.Errorf("%.60q: %v, %v", request, res, err)
		}
	}
}
