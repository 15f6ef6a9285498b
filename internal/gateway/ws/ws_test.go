package ws

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/gateway/limit"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/metrics"
	"github.com/merchantim/merchantim/internal/presence"
	"github.com/merchantim/merchantim/internal/usecase"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func listen(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ws, _, err := websocket.Dial(within(t), url, &websocket.DialOptions{
		Subprotocols: []string{wire.Subprotocol}, HTTPClient: client,
	})
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	t.Cleanup(func() { _ = ws.CloseNow() }) // most have ended by then
	return ws
}

// Messages of every size around the buffers' and the header's bounds come
// whole and in order through the small buffers.
func TestFramesOfEverySizePassTheSmallBuffers(t *testing.T) {
	var sizes []int
	for _, bound := range []int{0, 125, 126, readBuffer, writeBuffer, 2 * writeBuffer, 3 * writeBuffer, 4096, maxWrite, 65535, 65536, 1 << 20} {
		for n := max(0, bound-12); n <= bound+12; n++ {
			sizes = append(sizes, n)
		}
	}
	content := func(i, n int) []byte { return bytes.Repeat([]byte{byte('A' + i%50)}, n) }
	url := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(small{w}, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
		if err != nil {
			t.Error(err)
			return
		}
		for i, n := range sizes {
			if err := ws.Write(within(t), websocket.MessageText, content(i, n)); err != nil {
				t.Errorf("writing %d bytes: %v", n, err)
			}
		}
		_ = ws.Close(websocket.StatusNormalClosure, "") // the client sees it
	}))
	ws := dial(t, url)
	for i, n := range sizes {
		_, got, err := ws.Read(within(t))
		if err != nil || !bytes.Equal(got, content(i, n)) {
			t.Fatalf("message %d of %d bytes came with %d: %v", i, n, len(got), err)
		}
	}
	if _, _, err := ws.Read(within(t)); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the end: %v", err)
	}
}

// hub makes a hub that knows no users: enough for what concerns connections.
func hub(t *testing.T, change func(*Options)) (*Hub, string) {
	t.Helper()
	o := Options{
		Node: 1, Heartbeat: time.Minute, HelloTimeout: time.Minute, WriteTimeout: time.Minute, MaxMessage: 1 << 16,
		MaxInflight: 10, QueueBytes: 1 << 20, MaxConns: 100, MaxText: 100, Metrics: metrics.New(prometheus.NewRegistry()),
	}
	board := presence.New(presence.Options{Grace: time.Second, Pause: time.Second})
	t.Cleanup(board.Close)
	o.Users, o.Presence, o.Load = limit.NewUsers(limit.Rates{}), board, func() (float64, float64) { return 0, 1 }
	if change != nil {
		change(&o)
	}
	h := NewHub(o)
	t.Cleanup(func() { h.Close(within(t)) })
	return h, listen(t, h)
}

// only returns the hub's one connection.
func only(t *testing.T, h *Hub) (c *conn) {
	t.Helper()
	for ctx := within(t); c == nil; {
		if ctx.Err() != nil {
			t.Fatal("no connection came")
		}
		h.each(func(x *conn) { c = x })
	}
	return c
}

// Pushes that come while the welcome is not yet queued follow it; none is
// lost, and each writer's keep their order.
func TestHeldPushesFollowTheWelcome(t *testing.T) {
	h, url := hub(t, nil)
	ws := dial(t, url)
	c := only(t, h)
	c.mu.Lock()
	c.holding = true
	c.mu.Unlock()
	const writers, each = 8, 500
	var busy sync.WaitGroup
	for w := range writers {
		busy.Go(func() {
			for i := range each {
				c.push(true, func(dst []byte) []byte { return fmt.Appendf(dst, "%d %d", w, i) })
				c.kick()
				if w == 0 && i == each/2 {
					c.queue(func(dst []byte) []byte { return append(dst, "welcome"...) })
					c.release()
				}
			}
		})
	}
	var seen [writers]int
	total := -1 // the welcome is none
	for total < writers*each {
		_, message, err := ws.Read(within(t))
		if err != nil {
			t.Fatal(err)
		}
		if len(message) > maxWrite {
			t.Errorf("%d bytes in one message", len(message))
		}
		for line := range strings.SplitSeq(string(message), "\n") {
			if total++; total == 0 {
				if line != "welcome" {
					t.Fatalf("the first line is %q", line)
				}
				continue
			}
			from, n, _ := strings.Cut(line, " ")
			w, err := strconv.Atoi(from)
			if err != nil || n != strconv.Itoa(seen[w]) {
				t.Fatalf("line %q after %d of that writer", line, seen[w])
			}
			seen[w]++
		}
	}
	busy.Wait()
}

// A client that does not read is sent away; its writers never wait.
func TestTheQueueIsBounded(t *testing.T) {
	h, url := hub(t, func(o *Options) { o.QueueBytes = 10_000 })
	ws := dial(t, url)
	c := only(t, h)
	line := bytes.Repeat([]byte("x"), 1000)
	for range 11 { // nothing is written without a kick
		c.queue(func(dst []byte) []byte { return append(dst, line...) })
	}
	if !c.gone() {
		t.Error("more than QueueBytes wait")
	}
	if _, _, err := ws.Read(within(t)); websocket.CloseStatus(err) != wire.CloseTooSlow {
		t.Errorf("the client saw %v", err)
	}
}

func TestALongFrameGoesAlone(t *testing.T) {
	h, url := hub(t, nil)
	ws := dial(t, url)
	c := only(t, h)
	sizes := []int{10, maxWrite + 1, 20, maxWrite - 1, 100_000, 1}
	for _, n := range sizes {
		c.queue(func(dst []byte) []byte { return append(dst, bytes.Repeat([]byte("y"), n)...) })
	}
	c.kick()
	var got []int
	for len(got) < len(sizes) {
		_, message, err := ws.Read(within(t))
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.SplitSeq(message, []byte("\n")) {
			if len(message) > maxWrite && len(line) != len(message) {
				t.Errorf("a frame of %d in a message of %d bytes", len(line), len(message))
			}
			got = append(got, len(line))
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(sizes) {
		t.Errorf("%v came as %v", sizes, got)
	}
}

// Close sends everyone away and leaves nothing running, also while frames are
// queued, and takes nobody after.
func TestCloseEndsAllConnections(t *testing.T) {
	h, url := hub(t, nil)
	var clients []*websocket.Conn
	for range 20 {
		clients = append(clients, dial(t, url))
	}
	for ctx, n := within(t), 0; n < len(clients); { // a client may see its upgrade before the hub has it
		if n = 0; ctx.Err() != nil {
			t.Fatal("not all connections came")
		}
		h.each(func(*conn) { n++ })
	}
	stop := make(chan struct{})
	var busy, readers sync.WaitGroup
	busy.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			h.each(func(c *conn) {
				c.queue(func(dst []byte) []byte { return append(dst, "frame"...) })
				c.kick()
			})
		}
	})
	for _, ws := range clients {
		readers.Go(func() {
			for {
				if _, _, err := ws.Read(context.Background()); err != nil {
					if websocket.CloseStatus(err) != wire.CloseGoingAway {
						t.Errorf("a client saw %v", err)
					}
					return
				}
			}
		})
	}
	h.Close(within(t))
	close(stop)
	busy.Wait()
	readers.Wait()
	if n := h.Connections(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // it is empty
	http.DefaultClient.CloseIdleConnections()
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("after Close: %s", res.Status)
	}
}

// Whoever pushes waits while too much waits for all connections together, goes
// on when the readers do, and is not stopped by one that takes nothing.
func TestTheQueuesTogetherAreBounded(t *testing.T) {
	const most = 256 << 10
	h, url := hub(t, func(o *Options) { o.MaxQueued, o.QueueBytes = most, 64<<20 })
	ws := dial(t, url)
	ws.SetReadLimit(-1)
	c := only(t, h)
	out := h.Outbox()
	line := bytes.Repeat([]byte("x"), 1000)
	const lines = 4000 // what the socket's buffers hold is far below
	pushed := make(chan error, 1)
	go func() {
		for range lines {
			if err := out.Room(within(t)); err != nil {
				pushed <- err
				return
			}
			if waiting := h.queue.Load(); waiting > most {
				pushed <- fmt.Errorf("%d bytes wait", waiting)
				return
			}
			c.push(true, func(dst []byte) []byte { return append(dst, line...) })
			c.kick()
		}
		pushed <- nil
	}()
	for got := 0; got < lines; {
		_, message, err := ws.Read(within(t))
		if err != nil {
			t.Fatal(err)
		}
		got += bytes.Count(message, []byte("\n")) + 1
	}
	if err := <-pushed; err != nil {
		t.Fatal(err)
	}

	for !c.gone() { // nobody reads any more: in the end it is cut
		if err := out.Room(within(t)); err != nil {
			t.Fatal(err)
		}
		c.push(true, func(dst []byte) []byte { return append(dst, line...) })
		c.kick()
	}
	if err := out.Room(within(t)); err != nil {
		t.Fatal(err)
	}
	c.writers.Wait()
	if n := h.queue.Load(); n != 0 {
		t.Errorf("%d bytes wait for nobody", n)
	}
}

// member makes the hub's one connection a link of a user.
func member(t *testing.T, h *Hub, id domain.UserID) *conn {
	t.Helper()
	c := only(t, h)
	c.user = id
	if !h.signOn(c) {
		t.Fatal("no room")
	}
	return c
}

// Messages of two conversations may have the same index: each is pushed with
// its own text, although what is pushed to many is encoded once (M52, M57).
func TestEveryPushHasItsOwnText(t *testing.T) {
	h, url := hub(t, nil)
	ws := dial(t, url)
	member(t, h, "bob")
	out := h.Outbox()
	want := []string{"one", "one", "two", "three"}
	for i, text := range want {
		m := &chat.Message{Body: []byte(text)}
		m.Index, m.Conversation[0] = 1+uint64(i)/3, byte(i/2)
		out.Push("bob", user.Item{Index: uint64(i + 1), Pre: uint64(i)}, domain.Origin{}, m)
	}
	out.Flush()
	var got []string
	for len(got) < len(want) {
		_, message, err := ws.Read(within(t))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(message), "\n") {
			for _, text := range []string{"one", "two", "three"} {
				if strings.Contains(line, text) {
					got = append(got, text)
				}
			}
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v came as %v", want, got)
	}
}

// A send that was answered, however, is no longer one of those unanswered.
func TestEveryAnswerGivesItsPlaceBack(t *testing.T) {
	h, url := hub(t, nil)
	dial(t, url)
	c := member(t, h, "bob")
	out, origin := h.Outbox(), domain.Origin{Node: 1, Conn: c.id, Request: []byte("r")}
	c.inflight.Add(2)
	out.Sent(origin, domain.ConversationID{}, &chat.Entry{})
	out.Refused(origin, domain.Refuse(domain.Conflict, "no"))
	if n := c.inflight.Load(); n != 0 {
		t.Errorf("%d sends are left unanswered", n)
	}
}

// hasty is a service in which a message comes while a welcome is made.
type hasty struct {
	Service
	push func()
}

func (s *hasty) Newest(context.Context, domain.UserID) (usecase.State, *domain.Error) {
	s.push()
	return usecase.State{}, nil
}

// A push that comes between the binding of a link and its welcome follows the
// welcome: a client knows nothing of its place before (M52).
func TestNoPushComesBeforeTheWelcome(t *testing.T) {
	svc := &hasty{}
	h, url := hub(t, func(o *Options) {
		o.Service, o.Epoch = svc, func() string { return "e" }
		o.Verify = func(string) (domain.UserID, time.Time, error) { return "bob", time.Now().Add(time.Hour), nil }
		o.Welcome = func(context.Context, domain.UserID) error { return nil }
	})
	svc.push = func() {
		out := h.Outbox()
		out.Push("bob", user.Item{Index: 1}, domain.Origin{}, &chat.Message{Body: []byte(`{}`)})
		out.Flush()
	}
	ws := dial(t, url)
	if err := ws.Write(within(t), websocket.MessageText, wire.AppendHello(nil, "1", "token", "device")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for len(got) < 2 {
		_, message, err := ws.Read(within(t))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(message), "\n") {
			kind, _, _ := strings.Cut(strings.TrimPrefix(line, `{"type":"`), `"`)
			got = append(got, kind)
		}
	}
	if fmt.Sprint(got) != "[welcome msg]" {
		t.Errorf("came %v", got)
	}
}
