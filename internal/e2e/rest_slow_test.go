package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// M53: who sends a body more slowly than he may is told so with 408, and nothing
// of what he sent is done; others are not held up meanwhile.
func TestABodyThatComesTooSlowly(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Short.BodyTimeout = 2 * time.Second })
	bob, alice := s.web("bob"), s.web("alice")
	bob.signIn()
	id := alice.ok("POST", "/v1/conversations", `{"with":"bob"}`).Conversation
	body := `{"key":"slow","content":{"type":"text","text":"drop by drop"}}`

	type slow struct {
		conn net.Conn
		in   *bufio.Reader
	}
	var clients []slow
	for i := range 20 { // all but a byte, and one of them nothing at all
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		part := body[:i*(len(body)-1)/19]
		_, err = fmt.Fprintf(conn, "POST /v1/conversations/%s/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", id, bob.token, len(body), part)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, slow{conn, bufio.NewReader(conn)})
	}
	for i := range 5 { // they are at work now
		alice.send(id, fmt.Sprint("a", i), "quick")
	}
	for _, c := range clients {
		res, err := http.ReadResponse(c.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		var p problem
		if err != nil || json.Unmarshal(text, &p) != nil {
			t.Fatalf("%d %s, %v", res.StatusCode, text, err)
		}
		if res.StatusCode != http.StatusRequestTimeout || p.Status != res.StatusCode || p.Code != wire.CodeInvalid ||
			p.Retry || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d %v: %s", res.StatusCode, res.Header, text)
		}
		if _, err := c.in.ReadByte(); err != io.EOF {
			t.Errorf("the connection, with half a request on it, stays: %v", err)
		}
	}
	if h := alice.ok("GET", "/v1/conversations/"+id+"/messages", ""); len(h.Messages) != 5 {
		t.Errorf("%d messages, want those of alice: %+v", len(h.Messages), h.Messages)
	}
}
