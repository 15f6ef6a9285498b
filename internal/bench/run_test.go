package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Echo goes through real processes and sockets: this test binary is started
// again as the echo server.
func TestEchoThroughRealProcesses(t *testing.T) {
	root := t.TempDir()
	o := Options{
		DataRoot: root, Runs: 1, Repeats: 1, Window: 300 * time.Millisecond, Probe: time.Second,
		Users: 20, K: []int{2}, Rate: 500, Seed: 3, MaxSteal: 1,
	}
	var out bytes.Buffer
	if err := report(t.Context(), &out, "echo", o, true); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var rep Report
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &rep); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"k2_acked_per_s", "k2_delivered_per_s", "k2_delivery_p50_ms", "rate_acked_per_s", "rate_delivery_p999_ms", "k2_rss_mb"} {
		if rep.Figures[name] <= 0 {
			t.Errorf("%s is %v", name, rep.Figures[name])
		}
	}
	if left, err := os.ReadDir(root); err != nil || len(left) != 0 {
		t.Errorf("the servers' folders stayed behind: %v, %v", left, err)
	}
}

func TestABinaryThatDoesNotServeIsAHarnessFailure(t *testing.T) {
	r, err := newRunner(Options{DataRoot: t.TempDir(), Runs: 1, Repeats: 1, Window: 1, Probe: 1, Users: 2}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = start(t.Context(), r.DataRoot, r.self, []string{"bench", "no-such-scenario"}, false)
	if exitCode(err) != ExitHarness || !strings.Contains(err.Error(), "ended while starting") {
		t.Errorf("%v", err)
	}
	_, err = start(t.Context(), r.DataRoot, r.DataRoot+"/absent", nil, false)
	if exitCode(err) != ExitHarness {
		t.Errorf("%v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{DataRoot: t.TempDir(), Runs: 1, Repeats: 1, Window: 1, Probe: 1, Users: 2, K: []int{1}}
	for story, spoil := range map[string]func(*Options){
		"odd users": func(o *Options) { o.Users = 3 }, "no runs": func(o *Options) { o.Runs = 0 },
		"no window": func(o *Options) { o.Window = 0 }, "k too large": func(o *Options) { o.K = []int{257} },
		"negative rate": func(o *Options) { o.Rate = -1 },
	} {
		o := good
		spoil(&o)
		if _, err := newRunner(o, &bytes.Buffer{}); exitCode(err) != ExitHarness {
			t.Errorf("%s: %v", story, err)
		}
	}
}

// serveHere runs link in this process as a target's long link.
func serveHere(t *testing.T, link http.Handler) *target {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /v1/link", link)
	listen := httptest.NewServer(mux)
	t.Cleanup(listen.Close)
	admin := httptest.NewServer(echoAdmin())
	t.Cleanup(admin.Close)
	client := admin.Client()
	return &target{
		echo: true, listen: strings.TrimPrefix(listen.URL, "http://"), admin: strings.TrimPrefix(admin.URL, "http://"),
		http: client, exited: make(chan struct{}), output: &tail{},
	}
}

// moody is an echo server that answers sends as it likes.
type moody struct {
	*echoServer
	send func(k *echoLink, f *frame) error
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = ws.CloseNow() }()
	k := &echoLink{server: m.echoServer, ws: ws, convs: make(map[string]*echoConversation)}
	for k.read() == nil {
		for line := range bytes.SplitSeq(k.in, newline) {
			if scanFrame(line, &k.frame) == nil && string(k.frame.kind) == "send" {
				err = m.send(k, &k.frame)
			} else {
				err = k.take(line)
			}
			if err != nil {
				_ = ws.Close(4410, err.Error())
				return
			}
		}
	}
}

func (k *echoLink) refuse(f *frame, code string, retryMS int) error {
	k.out = fmt.Appendf(k.out[:0], `{"type":"error","id":"%s","code":"%s","retry":true,"retry_ms":%d}`, f.id, code, retryMS)
	return k.write()
}

// A server that refuses a fifth of the sends, and what was pipelined behind
// them, still gets every message in order, in a closed and in an open loop.
func TestRefusedMessagesAreSentAgainInOrder(t *testing.T) {
	for _, p := range []plan{
		{shape: shape{users: 8}, k: 4},
		{shape: shape{users: 6, peers: 2}, rate: 2000},
	} {
		next := make([]atomic.Uint32, p.shape.conversations())
		var refused atomic.Int64
		dice := newDice()
		server := &moody{newEchoServer(), func(k *echoLink, f *frame) error {
			key, ok := parseKey(f.key)
			if !ok {
				return fmt.Errorf("key %q", f.key)
			}
			switch {
			case key.seq != next[key.conv].Load():
				return k.refuse(f, "predecessor_missing", 0)
			case dice.oneIn(5):
				refused.Add(1)
				return k.refuse(f, "overloaded", 5)
			}
			next[key.conv].Add(1)
			return k.send(f)
		}}
		l, err := connect(t.Context(), serveHere(t, server), testPool(), p.shape)
		if err != nil {
			t.Fatal(err)
		}
		l.closed = p.k > 0
		l.start()
		l.begin(p)
		waitFor(t, l, func() bool { return refused.Load() > 20 })
		l.stopping.Store(true)
		waitFor(t, l, l.done)
		if err := l.broken(); err != nil {
			t.Error(err)
		}
		if l.errors()["overloaded"] == 0 {
			t.Error("no refusal was counted")
		}
		l.close()
	}
}

// dice draws from one seed for all links.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newDice() *dice { return &dice{rng: rand.New(rand.NewPCG(1, 1))} }

func (d *dice) oneIn(n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.IntN(n) == 0
}

func waitFor(t *testing.T, l *load, done func() bool) {
	t.Helper()
	for !done() {
		if err := l.wait(time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// What a server must not do ends in a product failure.
func TestAServerThatBreaksItsWordFailsTheProduct(t *testing.T) {
	for story, c := range map[string]struct {
		send func(k *echoLink, f *frame) error
		want string
	}{
		"closes the link":  {func(*echoLink, *frame) error { return fmt.Errorf("too slow") }, "ended"},
		"refuses for good": {func(k *echoLink, f *frame) error { return k.refuse(f, "conflict", 0) }, "conflict"},
		"falls behind":     {func(*echoLink, *frame) error { return nil }, "unanswered"},
	} {
		l, err := connect(t.Context(), serveHere(t, &moody{newEchoServer(), c.send}), testPool(), shape{users: 2})
		if err != nil {
			t.Fatal(err)
		}
		l.start()
		l.openLoop(5000, 1, 50)
		<-l.ctx.Done()
		if err := l.err(); exitCode(err) != ExitProduct || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", story, err)
		}
		l.close()
	}
}

func TestSetupGivesUpWithItsContext(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	silent := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		<-stuck
		_ = ws.CloseNow()
	})
	target := serveHere(t, silent)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := connect(ctx, target, testPool(), shape{users: 2}); exitCode(err) != ExitHarness {
		t.Errorf("%v", err)
	}
}

func TestTheDiskProbeTimesEverySync(t *testing.T) {
	var h histogram
	dir := t.TempDir()
	if err := probeDisk(t.Context(), dir, 20*time.Millisecond, &h); err != nil {
		t.Fatal(err)
	}
	if h.count() == 0 {
		t.Error("no sync was timed")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the probe left %v, %v", left, err)
	}
}
