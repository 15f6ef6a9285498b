package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/client"
)

// way is a proxy before a server that lets long links through, or does not.
type way struct {
	*httptest.Server
	mu     sync.Mutex
	refuse bool
	open   map[int]context.CancelFunc // of the long links
	next   int
}

func newWay(t *testing.T, s *server) *way {
	w := &way{open: make(map[int]context.CancelFunc)}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.Addr()})
	proxy.FlushInterval = -1
	proxy.ErrorHandler = func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) }
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/link" {
			ctx, cancel := context.WithCancel(r.Context())
			done, ok := w.enter(cancel)
			if !ok {
				cancel()
				rw.WriteHeader(http.StatusForbidden)
				return
			}
			defer done()
			r = r.WithContext(ctx)
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() { w.let(false); w.Close() })
	return w
}

func (w *way) enter(cancel context.CancelFunc) (done func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse {
		return nil, false
	}
	w.next++
	n := w.next
	w.open[n] = cancel
	return func() {
		cancel()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, n)
	}, true
}

// let says whether long links get through, and cuts those that are there.
func (w *way) let(through bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse = !through
	for _, cancel := range w.open {
		cancel()
	}
}

// walker is a person whose client goes through a way.
type walker struct {
	*client.Client
	name   string
	store  *client.Memory
	states chan client.State
	got    map[string][]uint64 // by conversation
	ended  chan struct{}
}

func (w *way) person(t *testing.T, s *server, name string) *walker {
	t.Helper()
	p := &walker{name: name, store: &client.Memory{Keep: 100_000}, states: make(chan client.State, 10_000), got: make(map[string][]uint64), ended: make(chan struct{})}
	token := s.token(name)
	c, err := client.New(client.Options{
		URL: "ws" + strings.TrimPrefix(w.URL, "http"), Device: "client", Store: p.store,
		Token:    func(context.Context) (string, error) { return token, nil },
		BackOff:  client.BackOff{Base: 5 * time.Millisecond, Max: 50 * time.Millisecond},
		AwayWait: 10 * time.Millisecond,
		OnState: func(s client.State) {
			select {
			case p.states <- s:
			default: // who looks takes them in time
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Client = c
	go func() {
		defer close(p.ended)
		for m := range c.Messages() {
			p.got[m.Conversation] = append(p.got[m.Conversation], m.Index)
		}
	}()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-p.ended
	})
	if err := c.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	return p
}

// X1, M53, M62: three people write into a conversation and a large group while
// the long link comes and goes. Every text is stored once, in the order of its
// sender; everybody gets everything once; what each keeps is what the server has.
func TestTheClientChangesLinksUnderLoad(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Limits.LargeGroupSize, c.Link.Heartbeat = 2, time.Second })
	w := newWay(t, s)
	people := []*walker{w.person(t, s, "alice"), w.person(t, s, "bob"), w.person(t, s, "carol")}
	alice := people[0]
	direct, err := alice.Open(within(t), "bob")
	if err != nil {
		t.Fatal(err)
	}
	group, err := alice.CreateGroup(within(t), "g", "Returns", []string{"bob", "carol"})
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	var flicker, lanes sync.WaitGroup
	flicker.Go(func() {
		for through := false; ; through = !through {
			select {
			case <-over:
				return
			case <-time.After(rand.N(100 * time.Millisecond)):
				w.let(through)
			}
		}
	})
	const each = 200
	for _, p := range people {
		lanes.Go(func() { write(t, p, group, each) })
	}
	lanes.Go(func() { write(t, alice, direct, each) })
	lanes.Go(func() { write(t, people[1], direct, each) })
	lanes.Wait()
	close(over)
	flicker.Wait()
	w.let(true)
	for _, p := range people {
		settled(t, p, group, 3*each+2, map[string]uint64{group: 3*each + 2})
		if p.name != "carol" {
			settled(t, p, direct, 2*each, nil)
		}
	}
	for _, p := range people {
		same(t, p, group, 3*each+2)
	}
	same(t, alice, direct, 2*each)
	for _, p := range people {
		p.end()
	}
	for _, p := range people {
		gotAll(t, p, group)
	}
	gotAll(t, people[1], direct)
}

// write sends texts and waits for every answer.
func write(t *testing.T, p *walker, conversation string, n int) {
	var all []*client.Sending
	for i := range n {
		sending, err := p.Send(within(t), conversation, fmt.Sprintf("%s <%d>", p.name, i))
		if err != nil {
			t.Error(err)
			return
		}
		all = append(all, sending)
		if i%20 == 0 {
			time.Sleep(rand.N(50 * time.Millisecond))
		}
	}
	last := uint64(0)
	for i, sending := range all {
		r, err := sending.Wait(within(t))
		if err != nil || r.Index <= last {
			t.Errorf("%s: text %d is stored at %d after %d: %v", p.name, i, r.Index, last, err)
			return
		}
		last = r.Index
	}
}

// settled waits until somebody's store has come up to an index.
func settled(t *testing.T, p *walker, conversation string, index uint64, heads map[string]uint64) {
	t.Helper()
	ctx := within(t)
	for {
		at, err := p.store.Load()
		if err == nil && p.store.Newest(conversation) == index && (heads == nil || cmp.Equal(at.Heads, heads)) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s is at %d of %d: %+v, %v", p.name, p.store.Newest(conversation), index, at, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// same compares what somebody has kept, and got, with the server's chain.
func same(t *testing.T, p *walker, conversation string, n int) {
	t.Helper()
	kept, err := p.store.Messages(conversation, 0, n+1)
	if err != nil {
		t.Fatal(err)
	}
	var chain []client.Message
	for more := true; more; {
		after := uint64(0)
		if len(chain) > 0 {
			after = chain[len(chain)-1].Index
		}
		page, err := p.HistoryAfter(within(t), conversation, after, 200)
		if err != nil {
			t.Fatal(err)
		}
		chain, more = append(chain, page.Messages...), page.More
	}
	for i := range kept {
		kept[i].Inbox = client.Place{}
	}
	if diff := cmp.Diff(chain, kept); diff != "" || len(chain) != n {
		t.Errorf("%s keeps another chain of %d than the server's of %d: %.2000s", p.name, len(kept), len(chain), diff)
	}
	texts := make(map[string]int)
	for i := range chain {
		if m := &chain[i]; m.Key != "" {
			if texts[m.Text]++; texts[m.Text] > 1 {
				t.Errorf("%q is stored twice", m.Text)
			}
		}
	}
}

// end closes the client and waits until all that it handed out was taken.
func (p *walker) end() {
	_ = p.Close() // the test's end looks at the error
	<-p.ended
}

// gotAll compares what somebody got with what he has kept, which is the chain.
func gotAll(t *testing.T, p *walker, conversation string) {
	t.Helper()
	kept, err := p.store.Messages(conversation, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	var others []uint64
	for i := range kept {
		if kept[i].From != p.name || kept[i].Key == "" {
			others = append(others, kept[i].Index)
		}
	}
	if diff := cmp.Diff(others, p.got[conversation]); diff != "" {
		t.Errorf("%s got others than there are: %.2000s", p.name, diff)
	}
}

// Without any long link all goes over the short one, and back.
func TestTheClientGoesOnOverTheShortLink(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Link.Heartbeat = time.Second })
	w := newWay(t, s)
	w.let(false)
	alice, bob := w.person(t, s, "alice"), w.person(t, s, "bob")
	if first := until(t, alice, func(s client.State) bool { return s.Up }); !first.Short {
		t.Fatalf("it is up as %+v", first)
	}
	id, err := alice.Open(within(t), "bob")
	if err != nil {
		t.Fatal(err)
	}
	write(t, alice, id, 50)
	settled(t, bob, id, 50, nil)
	w.let(true)
	until(t, alice, func(s client.State) bool { return s.Up && !s.Short })
	until(t, bob, func(s client.State) bool { return s.Up && !s.Short })
	write(t, bob, id, 50)
	settled(t, alice, id, 100, nil)
	settled(t, bob, id, 100, nil)
	if err := alice.Read(within(t), id, 80); err != nil {
		t.Error(err)
	}
	if err := alice.Refresh(within(t)); err != nil {
		t.Error(err)
	}
	same(t, bob, id, 100)
	same(t, alice, id, 100)
	alice.end()
	bob.end()
	gotAll(t, bob, id)
	gotAll(t, alice, id)
	rows, err := alice.store.Rows()
	if err != nil || len(rows) != 1 || rows[0].Unread != 20 || rows[0].With != "bob" || rows[0].Read != 80 {
		t.Errorf("alice's list is %+v, %v", rows, err)
	}
}

func until(t *testing.T, p *walker, is func(client.State) bool) client.State {
	t.Helper()
	for {
		select {
		case s := <-p.states:
			if is(s) {
				return s
			}
		case <-within(t).Done():
			t.Fatal("it never is")
		}
	}
}
