package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// polled asks in the background.
func (w *web) polled(path string) <-chan *said {
	answer := make(chan *said, 1)
	go func() {
		r, err := w.try("GET", path, nil)
		if err != nil {
			w.t.Error(err)
			r = &said{}
		}
		answer <- r
	}()
	return answer
}

func (w *web) answer(from <-chan *said) *said {
	w.t.Helper()
	select {
	case r := <-from:
		return r
	case <-time.After(patience):
		w.t.Fatal("the poll is not answered")
		return nil
	}
}

// M53: a client with long polls alone gets every entry once and in order, while
// its messages come from both links.
func TestLongPollsMissNothing(t *testing.T) {
	s := serve(t)
	alice, bob := s.enter("alice"), s.web("bob")
	bob.signIn()
	id := alice.open("bob")
	const n = 300
	carol := s.web("carol")
	carol.signIn()
	other := carol.open("bob")
	var senders sync.WaitGroup
	defer senders.Wait()
	senders.Go(func() {
		for i := range n {
			body := fmt.Appendf(nil, `{"key":"c%d","content":{"type":"text","text":"from carol"}}`, i)
			if r, err := carol.try("POST", "/v1/conversations/"+other+"/messages", body); err != nil || r.status != http.StatusOK {
				t.Errorf("carol's %d: %v", i, err)
				return
			}
		}
	})
	senders.Go(func() {
		for i := range n {
			if alice.ws.Write(alice.ctx, 1, wire.AppendSend(nil, fmt.Sprint(i), id, fmt.Sprint("k", i), "", "from alice")) != nil {
				return // the test has failed
			}
			if i%100 == 99 { // within max_inflight
				for sent := 0; sent < 100; {
					f, err := alice.tryFrame()
					if err != nil {
						return
					}
					if f.Type == "sent" {
						sent++
					}
				}
			}
		}
	})
	last := map[string]uint64{}
	for at := uint64(0); at < 2*n; {
		page := bob.ok("GET", fmt.Sprintf("/v1/inbox?after=%d&wait_ms=30000&limit=50", at), "")
		if len(page.Entries) == 0 {
			t.Fatalf("an empty page after %d: %s", at, page.body)
		}
		for _, e := range page.Entries {
			if e.Inbox != (wire.Place{Index: at + 1, Pre: at}) || e.Index != last[e.From]+1 {
				t.Fatalf("after %d came %+v", at, e)
			}
			at, last[e.From] = e.Inbox.Index, e.Index
		}
	}
}

// A poll that waits is woken by what comes; one whose time is over is empty.
func TestAPollWaitsForWhatComes(t *testing.T) {
	s := serve(t)
	alice, bob := s.web("alice"), s.web("bob")
	bob.signIn()
	id := alice.open("bob")
	waiting := bob.polled("/v1/inbox?wait_ms=30000")
	select {
	case r := <-waiting:
		t.Fatalf("a poll for nothing ended with %s", r.body)
	case <-time.After(50 * time.Millisecond):
	}
	alice.send(id, "k", "text")
	if r := bob.answer(waiting); len(r.Entries) != 1 || r.Newest != 1 {
		t.Errorf("woken with %s", r.body)
	}
	if r := bob.ok("GET", "/v1/inbox?after=1&wait_ms=20", ""); len(r.Entries) != 0 || r.Newest != 1 || !strings.Contains(string(r.body), `"entries":[]`) {
		t.Errorf("when the time was over: %s", r.body)
	}
	if r := bob.ok("GET", "/v1/inbox?after=1", ""); len(r.Entries) != 0 {
		t.Errorf("without waiting: %s", r.body)
	}
}

// M65: entries of a large group do not come into the inbox; a poll that knows
// the heads ends when they move.
func TestAPollEndsWhenAHeadMoves(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Limits.LargeGroupSize = 2 })
	alice, bob := s.web("alice"), s.web("bob")
	bob.signIn()
	s.web("carol").signIn()
	id := alice.ok("POST", "/v1/groups", `{"key":"g","members":["bob","carol"]}`).Conversation
	bob.reach(2) // it was made, and is large
	now := bob.ok("GET", "/v1/inbox?after=2", "")
	if string(now.Heads) != "2" {
		t.Fatalf("heads %s", now.Heads)
	}
	waiting := bob.polled("/v1/inbox?after=2&heads=2&wait_ms=30000")
	select {
	case r := <-waiting:
		t.Fatalf("a poll for nothing ended with %s", r.body)
	case <-time.After(50 * time.Millisecond):
	}
	alice.send(id, "k", "to all")
	if r := bob.answer(waiting); string(r.Heads) != "3" || len(r.Entries) != 0 || r.Newest != 2 {
		t.Errorf("ended with %s", r.body)
	}
	if r := bob.ok("GET", "/v1/inbox?after=2&heads=2&wait_ms=30000", ""); string(r.Heads) != "3" {
		t.Errorf("another sum from the start: %s", r.body)
	}
	if page := bob.ok("GET", "/v1/conversations/"+id+"/messages?after=2", ""); len(page.Messages) != 1 || page.Messages[0].Key != "k" {
		t.Errorf("pulled %s", page.body)
	}
}

// A user may poll from some devices at once; more are told to come back. Those
// who poll are answered when the server stops.
func TestPollsAreBoundedAndEndWithTheServer(t *testing.T) {
	s := serve(t)
	bob := s.web("bob")
	bob.signIn()
	const most, more = 16, 10
	answers := make(chan *said, most+more)
	for range most + more {
		waiting := bob.polled("/v1/inbox?wait_ms=30000")
		go func() { answers <- <-waiting }()
	}
	for range more {
		over := bob.answer(answers)
		bob.refusal(over, http.StatusTooManyRequests, wire.CodeOverloaded, "one poll too many")
		if over.problem.RetryMS == 0 {
			t.Errorf("no time to wait: %s", over.body)
		}
	}
	s.web("carol").ok("GET", "/v1/inbox?wait_ms=1", "")
	bob.ok("GET", "/v1/inbox", "")
	if err := s.end(); err != nil {
		t.Error(err)
	}
	for range most {
		if r := bob.answer(answers); r.status != http.StatusOK || len(r.Entries) != 0 {
			t.Errorf("answered with %d %s", r.status, r.body)
		}
	}
}

// A kill -9 between a send and its repetition over HTTP makes no second message.
func TestASendOverHTTPSurvivesAKill(t *testing.T) {
	data := t.TempDir()
	c := spawn(t, data)
	alice, bob := newWeb(t, c.addr, tokenFor(t, data, "alice", time.Hour)), newWeb(t, c.addr, tokenFor(t, data, "bob", time.Hour))
	epoch := bob.signIn().Epoch
	id := alice.open("bob")
	first := alice.send(id, "k", "text")
	c.kill()
	c = spawn(t, data)
	alice.base, bob.base = "http://"+c.addr, "http://"+c.addr
	if again := alice.send(id, "k", "text"); again.Message != first.Message || again.Index != 1 || again.At != first.At {
		t.Errorf("first %s, after the kill %s", first.body, again.body)
	}
	page := bob.ok("GET", "/v1/inbox?wait_ms=30000", "")
	if len(page.Entries) != 1 || page.Entries[0].Message != first.Message || bob.signIn().Epoch != epoch {
		t.Errorf("bob has %s", page.body)
	}
}

// Whoever goes away while he polls gives his place back: after two full rounds
// of polls that were left, there is a place.
func TestAPollThatIsLeftEnds(t *testing.T) {
	s := serve(t)
	bob := s.web("bob")
	bob.signIn()
	const most, more = 16, 10
	for range 2 {
		ctx, leave := context.WithCancel(within(t))
		refused := make(chan struct{}, most+more)
		var polls sync.WaitGroup
		for range most + more {
			polls.Go(func() {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, bob.base+"/v1/inbox?wait_ms=30000", nil)
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+bob.token)
				if res, err := bob.http.Do(req); err == nil {
					_ = res.Body.Close() // it was refused
					refused <- struct{}{}
				}
			})
		}
		for range more { // once so many are refused, all places are taken
			select {
			case <-refused:
			case <-time.After(patience):
				t.Fatal("more polls wait than may")
			}
		}
		leave()
		polls.Wait()
		r := bob.ask("GET", "/v1/inbox?wait_ms=1", "")
		for deadline := time.Now().Add(patience); r.status != http.StatusOK; r = bob.ask("GET", "/v1/inbox?wait_ms=1", "") {
			if time.Now().After(deadline) {
				t.Fatalf("no place is given back: %d %s", r.status, r.body)
			}
		}
	}
}
