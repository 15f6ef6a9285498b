package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/internal/client/clienttest"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// all is what a store has.
type all struct {
	At       Position
	Newest   map[string]uint64
	Messages map[string][]Message
	Rows     []wire.Row
}

func contents(t rapid.TB, s Store) all {
	t.Helper()
	at, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	a := all{At: at, Newest: make(map[string]uint64), Messages: make(map[string][]Message)}
	if a.Rows, err = s.Rows(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"a", "b", "c"} {
		a.Newest[c] = s.Newest(c)
		if a.Messages[c], err = s.Messages(c, 0, 1000); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func opened(t rapid.TB, name string) *File {
	t.Helper()
	s, err := OpenFile(name, 20)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(t rapid.TB, s *File) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// batches draws changes as a client makes them.
type batches struct {
	inbox uint64
	last  map[string]uint64
	heads map[string]uint64
	epoch int
}

func (g *batches) draw(t *rapid.T) *Batch {
	b := new(Batch)
	if g.last == nil || rapid.IntRange(0, 15).Draw(t, "anew") == 0 {
		g.epoch++
		*g = batches{last: make(map[string]uint64), heads: make(map[string]uint64), epoch: g.epoch}
		b.Anew, b.User, b.Epoch = true, "me", fmt.Sprint("epoch ", g.epoch)
	}
	for range rapid.IntRange(0, 10).Draw(t, "messages") {
		c := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "of")
		g.last[c]++
		g.inbox++
		content := rapid.SampledFrom([]string{
			`{"type":"text","text":"<\"&\n>"}`, `{"type":"created","title":"T","members":["me","you"]}`, `{"type":"void"}`,
			`{"type":"members","removed":["me"]}`, `{"type":"diffusion","mode":"read"}`, `{"type":"picture","of":"me"}`,
		}).Draw(t, "content")
		b.Messages = append(b.Messages, messageOf("", &wire.Shown{
			Inbox: wire.Place{Index: g.inbox}, Conversation: c, Index: g.last[c], Pre: g.last[c] - 1, N: g.last[c], Message: fmt.Sprint(g.inbox),
			From: rapid.SampledFrom([]string{"me", "you"}).Draw(t, "from"), Key: "k", At: int64(g.inbox), Content: []byte(content),
		}))
		b.Index = g.inbox
	}
	switch rapid.IntRange(0, 4).Draw(t, "also") {
	case 0:
		g.heads["a"] = g.last["a"]
		b.Heads = map[string]uint64{"a": g.last["a"]}
	case 1:
		b.Gone = []string{"a"}
	case 2:
		b.Reads = map[string]uint64{"b": rapid.Uint64Range(0, g.last["b"]).Draw(t, "read")}
	case 3:
		n := g.last["c"] + rapid.Uint64Range(0, 3).Draw(t, "further")
		b.Rows = []wire.Row{{Conversation: "c", With: "you", Index: n, N: n, Unread: n / 2, Read: n - n/2, At: int64(g.inbox + 1)}}
		b.Version = g.inbox + 1
	}
	return b
}

// M62: a store in a file has what one in memory has, however often it is opened
// again, and whatever is torn off its end comes off whole.
func TestAFileKeepsWhatMemoryKeeps(t *testing.T) {
	folder := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		name := filepath.Join(folder, fmt.Sprint(runs))
		file, memory := opened(t, name), &Memory{Keep: 20}
		var g batches
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			b := g.draw(t)
			if err := errors.Join(file.Apply(b), memory.Apply(b)); err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 7).Draw(t, "again") == 0 {
				closed(t, file)
				file = opened(t, name)
			}
			if diff := cmp.Diff(contents(t, memory), contents(t, file)); diff != "" {
				t.Fatal(diff)
			}
		}
		b := g.draw(t)
		before := contents(t, memory)
		size := file.size
		if err := file.Apply(b); err != nil {
			t.Fatal(err)
		}
		closed(t, file)
		cut := rapid.Int64Range(size, file.size-1).Draw(t, "cut")
		if err := os.Truncate(name, cut); err != nil {
			t.Fatal(err)
		}
		file = opened(t, name)
		if diff := cmp.Diff(before, contents(t, file)); diff != "" {
			t.Fatal(diff)
		}
		closed(t, file)
	})
}

func TestAStoreIsBounded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "store")
	s := opened(t, name)
	if err := s.Apply(&Batch{Anew: true, User: "me", Epoch: "e"}); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(500) {
		m := messageOf("", &wire.Shown{Conversation: "a", Index: i + 1, Pre: i, N: i + 1, From: "you", Content: []byte(word)})
		if err := s.Apply(&Batch{Index: i + 1, Messages: []Message{m}}); err != nil {
			t.Fatal(err)
		}
	}
	if kept := len(contents(t, s).Messages["a"]); kept < 20 || kept > 25 {
		t.Errorf("%d of 500 are kept, not 20", kept)
	}
	long := s.size
	closed(t, s)
	s = opened(t, name)
	defer closed(t, s)
	if got := contents(t, s); got.Newest["a"] != 500 || got.At.Index != 500 || got.Rows[0].Unread != 500 || s.size > long/10 {
		t.Errorf("opened again it has %d bytes of %d, and %+v", s.size, long, got.At)
	}
}

func TestADamagedStoreIsAnError(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "store")
	if err := os.WriteFile(name, []byte("{\"anew\":true,\"epoch\":\"e\"}\n{\"in\n{\"index\":2}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(name, 0); err == nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), name) {
		t.Errorf("a damaged file: %v", err)
	}
	if _, err := OpenFile(filepath.Join(name, "not a folder"), 0); err == nil {
		t.Error("a file that cannot be read is taken for none")
	}
	if _, err := OpenFile(filepath.Join(folder, "no such folder", "store"), 0); err == nil {
		t.Error("a file that cannot be made is no error")
	}
	if left, err := filepath.Glob(filepath.Join(folder, "*")); err != nil || len(left) != 1 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

// failing is a store that keeps nothing while it is broken.
type failing struct {
	Memory
	broken chan bool // holds one
}

func (s *failing) Apply(b *Batch) error {
	broken := <-s.broken
	s.broken <- broken
	if broken {
		return errors.New("the disk is full")
	}
	return s.Memory.Apply(b)
}

func TestAStoreThatFailsHoldsTheMessagesUp(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	store := &failing{broken: make(chan bool, 1)}
	store.broken <- false
	states := make(chan State, 10_000)
	alice := start(t, f, "alice", nil)
	bob := start(t, f, "bob", func(o *Options) { watch(states)(o); o.Store = store })
	if err := bob.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	conversation := open(t, alice, "bob")
	<-store.broken
	store.broken <- true
	const many = 3 * maxPending
	for range many {
		send(t, alice, conversation, "text")
	}
	for range maxPending {
		next(t, bob)
	}
	until(t, states, "broken", func(s State) bool { return s.Err != nil && strings.Contains(s.Err.Error(), "disk is full") })
	select {
	case <-bob.Messages():
		t.Error("it hands over what nobody keeps")
	case <-time.After(20 * time.Millisecond):
	}
	<-store.broken
	store.broken <- false
	for range many - maxPending {
		next(t, bob)
	}
	if err := bob.Close(); err != nil || store.Newest(conversation) != many {
		t.Errorf("in the end %d are kept, %v", store.Newest(conversation), err)
	}

	bob = start(t, f, "bob", func(o *Options) { o.Store = store })
	if err := bob.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	<-store.broken
	store.broken <- true
	sent(t, send(t, alice, conversation, "the last"))
	next(t, bob)
	bob.stop()
	<-bob.done
	if bob.err == nil {
		t.Error("nobody heard that the last message is not kept")
	}
	bob.err = nil // for the end of the test
}

// M61: the list is pulled at first, then by what has changed.
func TestTheListIsRefreshed(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	store := new(Memory)
	alice := start(t, f, "alice", nil)
	for i := range 450 { // more than two pages
		sent(t, send(t, alice, open(t, alice, fmt.Sprint("shop-", i)), "hi"))
	}
	both := open(t, alice, "bob")
	sent(t, send(t, alice, both, "hi"))
	again := start(t, f, "alice", func(o *Options) { o.Store, o.FromNow = store, true })
	for range 2 {
		if err := again.Refresh(within(t)); err != nil {
			t.Fatal(err)
		}
		// The rows are kept when the next request is answered, at the latest.
		if _, err := again.List(within(t), "", 1<<30, 1); err != nil {
			t.Fatal(err)
		}
		rows, err := store.Rows()
		at, failed := store.Load()
		if err = errors.Join(err, failed); err != nil || len(rows) != 451 || at.Version == 0 || rows[0].Conversation != both || rows[0].With != "bob" {
			t.Fatalf("%d rows, version %d, %v", len(rows), at.Version, err)
		}
	}
}
