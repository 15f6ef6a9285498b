package limit

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func gate(t *testing.T, opt GateOptions) *Gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := NewGate(l, opt)
	t.Cleanup(func() { _ = g.Close() }) // a server may have closed it
	return g
}

// pair connects, and returns both ends.
func pair(t *testing.T, g *Gate) (client net.Conn, server *Conn) {
	t.Helper()
	client, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	accepted, err := g.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = accepted.Close() }) // it may have been evicted
	server, ok := accepted.(*Conn)
	if !ok {
		t.Fatalf("accepted a %T", accepted)
	}
	return client, server
}

func TestTheOldestHalfOpenGivesWay(t *testing.T) {
	for name, opt := range map[string]GateOptions{
		"in all": {HalfOpen: 3}, "of an address": {HalfOpenPerAddress: 3}, "both": {HalfOpen: 3, HalfOpenPerAddress: 3},
	} {
		g := gate(t, opt)
		honest, through := pair(t, g)
		through.Through()
		var clients []net.Conn
		for range 5 {
			c, _ := pair(t, g)
			clients = append(clients, c)
		}
		if g.HalfOpen() != 3 || g.Evicted() != 2 {
			t.Errorf("%s: %d half-open, %d evicted", name, g.HalfOpen(), g.Evicted())
		}
		for _, c := range clients[:2] {
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%s: an old one saw %v", name, err)
			}
		}
		for _, c := range append(clients[2:], honest) { // writes of one that was closed would fail by the second
			for range 2 {
				if _, err := c.Write([]byte("x")); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

// Every way a connection can go leaves nothing behind.
func TestPlacesAreGivenBack(t *testing.T) {
	g := gate(t, GateOptions{PerAddress: 2, HalfOpen: 10})
	for i := range 20 {
		_, c := pair(t, g)
		if !g.count(c, i%2 == 0) {
			t.Fatalf("connection %d found no place", i)
		}
		if i%3 == 0 {
			c.Through()
		}
		for range 2 { // the second finds it closed
			_ = c.Close()
		}
		c.Through()
	}
	if len(g.from) != 0 || g.half.Len() != 0 {
		t.Errorf("left behind: %d addresses, %d half-open", len(g.from), g.half.Len())
	}
	var none *Conn
	none.Through()
}

func TestAnAddressHasSoManyConnections(t *testing.T) {
	g := gate(t, GateOptions{PerAddress: 2})
	server := &http.Server{ConnContext: g.Context, ReadHeaderTimeout: time.Minute,
		Handler: g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if ConnOf(r.Context()) == nil {
				t.Error("a request without its connection")
			}
		}))}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(g) }()
	defer func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	get := func(c *http.Client) *http.Response {
		t.Helper()
		res, err := c.Get("http://" + g.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, res.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	var clients []*http.Client
	for range 3 {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		clients = append(clients, &http.Client{Transport: transport})
	}
	for range 3 { // the same connections again are no new ones
		for _, c := range clients[:2] {
			if res := get(c); res.StatusCode != http.StatusOK {
				t.Fatalf("one of two: %s", res.Status)
			}
		}
	}
	if res := get(clients[2]); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || !res.Close {
		t.Errorf("the third: %s %v", res.Status, res.Header)
	}
	clients[0].CloseIdleConnections()
	for deadline := time.Now().Add(30 * time.Second); get(clients[2]).StatusCode != http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("the place of one that left is not given again")
		}
	}
}

func TestAnAddressOfSixIsItsNetwork(t *testing.T) {
	of := func(ip string) string { return network(&net.TCPAddr{IP: net.ParseIP(ip), Zone: "eth0"}).String() }
	for ip, want := range map[string]string{
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "2001:db8:1:2::1": "2001:db8:1:2::",
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
	} {
		if got := of(ip); got != want {
			t.Errorf("%s counts as %s", ip, got)
		}
	}
}
