package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// childFlood in the environment makes the test binary a client that opens so
// many half-open connections to an address, "number@host:port", says "open", and
// goes on a byte at a time until its standard input ends.
const childFlood = "MERCHANTIM_E2E_CHILD_FLOOD"

// halfOpen are the ways to be half-open: what is written at once, and what then
// follows byte by byte.
var halfOpen = []struct {
	name         string
	first, drops []byte
}{
	{"never speaks", nil, nil},
	{"half a request line", []byte("GET /v1/li"), nil},
	{"a request byte by byte", nil, []byte(strings.TrimSuffix(upgrade, "\r\n") + "X-Long: " + strings.Repeat("y", 8000))},
	{"never says hello", []byte(upgrade), nil},
	{"a hello byte by byte", []byte(upgrade), masked(true, 1, []byte(strings.Repeat(" ", 4000)+"{}"))},
	{"half a frame", append([]byte(upgrade), 0x81, 0xfe), nil},
	{"pings only", []byte(upgrade), []byte(strings.Repeat("\x89\x80\x00\x00\x00\x00", 2000))},
}

func beFlood(order string) int {
	number, addr, _ := strings.Cut(order, "@")
	n, err := strconv.Atoi(number)
	if err != nil {
		return 1
	}
	conns := make([]net.Conn, n)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", addr); err != nil {
			fmt.Fprintf(os.Stderr, "connection %d: %v\n", i, err)
			return 1
		}
		_, _ = conns[i].Write(halfOpen[i%len(halfOpen)].first) // it may be closed already
	}
	fmt.Println("open")
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until it ends
		close(stop)
	}()
	for at := 0; ; at++ {
		for i, c := range conns {
			if drops := halfOpen[i%len(halfOpen)].drops; at < len(drops) {
				_, _ = c.Write(drops[at : at+1]) // it may be closed already
			}
		}
		select {
		case <-stop:
			return 0
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// flood starts such a child; what it says comes once all its connections are open.
func (s *server) flood(n int) <-chan string {
	s.t.Helper()
	cmd := exec.Command(os.Args[0]) //nolint:gosec // this very test
	cmd.Env, cmd.Stderr = append(os.Environ(), fmt.Sprintf("%s=%d@%s", childFlood, n, s.Addr())), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("the flood ended with %v", err)
		}
	})
	said := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n') // half a line is not what is expected
		said <- line
	}()
	return said
}

// figure is a gauge or counter without labels, as it is scraped.
func (s *server) figure(name string) float64 {
	s.t.Helper()
	req, err := http.NewRequestWithContext(within(s.t), http.MethodGet, "http://"+s.AdminAddr()+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = res.Body.Close()
	for line := range strings.SplitSeq(string(text), "\n") {
		if value, found := strings.CutPrefix(line, "merchantim_"+name+" "); found {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	s.t.Fatalf("there is no figure %s", name)
	return 0
}

// memory is what the heap and the stacks of this process, the server's, hold.
func memory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// Two people chat while another process opens ten thousand connections that
// lead nowhere, and new people come in then: with all of them held at once, and
// with the shipped limits, where the oldest give way.
func TestTenThousandHalfOpenConnectionsDisturbNobody(t *testing.T) {
	const n = 10_000
	for name, limit := range map[string]int{"all held": 2 * n, "as shipped": config.Default().Limits.HalfOpenPerAddress} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(c *config.Config) {
				c.Limits.HalfOpenPerAddress = limit
				c.Link.HelloTimeout = 2 * patience // none ends for that
			})
			alice, bob := s.enter("alice"), s.enter("bob")
			id, before := alice.open("bob"), memory()
			said := uint64(0)
			talk := func() {
				said++
				text := fmt.Sprint(said)
				alice.send(id, text, text)
				m := bob.push()
				if got, ok := m.Text(); !ok || got != text || m.Inbox.Index != said {
					t.Fatalf("bob got %+v instead of %s", m, text)
				}
			}
			flood := s.flood(n)
			for waiting := true; waiting; talk() {
				select {
				case line := <-flood:
					if waiting = false; line != "open\n" {
						t.Fatalf("the flood says %q", line)
					}
				default:
				}
			}
			// The child has connected; the server may be a few behind.
			for ctx := within(t); s.figure("half_open_connections")+s.figure("half_open_evicted_total") < n; talk() {
				if ctx.Err() != nil {
					t.Fatal("the server does not take them all")
				}
			}
			if held := s.figure("half_open_connections"); held > float64(limit) || held < float64(min(limit, n)) {
				t.Errorf("%v are held", held)
			}
			each := (memory() - before) / n
			if t.Logf("each costs %d bytes", each); each > 32<<10 {
				t.Error("that is too much")
			}
			carol := s.enter("carol")
			hers := carol.open("bob")
			carol.send(hers, "k", "hello")
			if m := bob.push(); m.From != "carol" {
				t.Errorf("bob got %+v", m)
			}
			said++
			for range 100 {
				talk()
			}
			for _, l := range s.links {
				_ = l.ws.CloseNow() // nobody reads them
			}
		})
	}
}

// Whatever a connection does instead of saying hello, it ends.
func TestNobodyStaysHalfOpen(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Link.HelloTimeout = 300 * time.Millisecond })
	var all sync.WaitGroup
	for _, way := range halfOpen {
		c := s.knock(way.first)
		all.Go(func() {
			for _, b := range way.drops {
				if _, err := c.conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
		all.Go(func() {
			if _, err := io.Copy(io.Discard, c.in); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Errorf("%s: it does not end: %v", way.name, err)
			}
			_ = c.conn.Close()
		})
	}
	all.Wait()
	for ctx := within(t); s.figure("half_open_connections") > 0; {
		if ctx.Err() != nil {
			t.Fatal("some are still half-open")
		}
	}
	late := s.knock([]byte(upgrade), masked(true, 1, []byte(" ")), masked(true, 1, wire.AppendHello(nil, "h", s.token("alice"), "d")))
	late.upgraded()
	if f := late.frames(1); f[0].Type != "welcome" {
		t.Errorf("%+v", f[0])
	}
}
