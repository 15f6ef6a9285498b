package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/internal/client"
	"github.com/merchantim/merchantim/internal/client/clienttest"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// terminal is a person at a chat: a pipe to type into, and what was printed.
type terminal struct {
	t    *testing.T
	keys *io.PipeWriter
	done chan error

	mu     sync.Mutex
	screen strings.Builder
	grown  chan struct{}
}

func (m *terminal) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.screen.Write(p)
	select {
	case m.grown <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (m *terminal) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.screen.String()
}

func (m *terminal) types(line string) {
	m.t.Helper()
	if _, err := io.WriteString(m.keys, line+"\n"); err != nil {
		m.t.Fatal(err)
	}
}

// sees waits until a text is on the screen.
func (m *terminal) sees(text string) {
	m.t.Helper()
	late := time.After(20 * time.Second)
	for !strings.Contains(m.text(), text) {
		select {
		case <-m.grown:
		case <-late:
			m.t.Fatalf("no %q on the screen:\n%s", text, m.text())
		}
	}
}

// leaves presses Ctrl-D.
func (m *terminal) leaves() {
	m.t.Helper()
	m.keys.Close()
	if err := <-m.done; err != nil {
		m.t.Error(err)
	}
}

func newChat(t *testing.T, s *clienttest.Server, o options, out io.Writer) *chat {
	t.Helper()
	st := newStates()
	c, err := client.New(client.Options{
		URL: s.Address(), Token: func(context.Context) (string, error) { return o.as, nil }, Device: "demo", FromNow: true,
		OnState: st.set, BackOff: client.BackOff{Base: time.Millisecond, Max: 10 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return &chat{options: o, client: c, states: st, out: out}
}

func sitDown(t *testing.T, s *clienttest.Server, as, with string) *terminal {
	t.Helper()
	return sit(t, s, options{as: as, with: []string{with}, history: 20})
}

func sit(t *testing.T, s *clienttest.Server, o options) *terminal {
	t.Helper()
	in, keys := io.Pipe()
	m := &terminal{t: t, keys: keys, done: make(chan error, 1), grown: make(chan struct{}, 1)}
	c := newChat(t, s, o, m)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { keys.Close(); cancel() })
	go func() { m.done <- c.run(ctx, in) }()
	m.sees("You are " + o.as)
	return m
}

func TestTwoTerminalsHoldAConversation(t *testing.T) {
	t.Parallel()
	s := clienttest.New(t)
	alice := sitDown(t, s, "alice", "bob")
	alice.types("hi bob")
	alice.sees("you: hi bob ✓")

	bob := sitDown(t, s, "bob", "alice")
	bob.sees("alice: hi bob") // from the history
	bob.types("hi \x1b[31malice")
	alice.sees("bob: hi \ufffd[31malice")

	s.Harm(func(*wire.Frame) clienttest.Harm { return clienttest.Harm{Cut: true, Unstored: true} })
	s.CutAll()
	alice.sees("Connection lost, trying again…")
	alice.types("are you there?")
	alice.sees("(kept; it goes out when the server is back)")
	s.Harm(nil)
	alice.sees("Back.")
	alice.sees("you: are you there? ✓")
	bob.sees("alice: are you there?")

	carol := sitDown(t, s, "carol", "bob")
	carol.types("lunch?")
	bob.sees("(in another chat) carol: lunch?")

	alice.types(strings.Repeat("long ", 4000))
	alice.sees("(not sent: The text is too long: long")
	alice.leaves()
	bob.leaves()
	carol.leaves()
	for _, line := range []string{"alice: hi bob\n", "alice: are you there?\n"} {
		if n := strings.Count(bob.text(), line); n != 1 {
			t.Errorf("bob saw %q %d times:\n%s", line, n, bob.text())
		}
	}
}

// The long link is cut, and the chat goes on over the short one (M53).
func TestTheChatGoesOnOverTheShortLink(t *testing.T) {
	t.Parallel()
	s := clienttest.New(t)
	alice, bob := sitDown(t, s, "alice", "bob"), sitDown(t, s, "bob", "alice")
	alice.types("one")
	bob.sees("alice: one")
	s.Links(false, true)
	s.CutLong()
	alice.sees("On the short link (HTTP)")
	alice.types("two")
	alice.sees("you: two ✓")
	bob.sees("alice: two")
	s.Links(true, true)
	alice.sees("Back on the long link.")
	alice.types("three")
	bob.sees("alice: three")
	alice.leaves()
	bob.leaves()
	for _, line := range []string{"one", "two", "three"} {
		if n := strings.Count(bob.text(), "alice: "+line+"\n"); n != 1 {
			t.Errorf("bob saw %q %d times:\n%s", line, n, bob.text())
		}
	}
}

func TestThreePeopleTalkInAGroup(t *testing.T) {
	t.Parallel()
	s := clienttest.New(t)
	s.Large(2)
	alice := sit(t, s, options{as: "alice", group: "returns", with: []string{"bob", "carol"}, history: 20})
	alice.sees("(made the group returns with alice, bob, carol)")
	bob := sit(t, s, options{as: "bob", group: "returns", with: []string{"alice", "carol"}, history: 20})
	carol := sit(t, s, options{as: "carol", group: "returns", history: 20})
	carol.sees("in the group returns.")
	bob.sees("(the group is a large one now)")
	carol.sees("(the group is a large one now)")
	alice.types("hi all")
	alice.sees("you: hi all ✓")
	bob.sees("alice: hi all")
	carol.sees("alice: hi all")
	carol.types("hi alice")
	alice.sees("carol: hi alice")
	bob.sees("carol: hi alice")
	alice.leaves()
	bob.leaves()
	carol.leaves()
}

func TestEveryKindHasWords(t *testing.T) {
	for want, m := range map[string]client.Message{
		"hi":                                  {Kind: client.KindText, Text: "hi"},
		"(added bob and removed carol, dave)": {Kind: client.KindMembers, Change: &client.GroupChange{Added: []string{"bob"}, Removed: []string{"carol", "dave"}}},
		"(added a, b, c, d, e, f, g, h, i, j and 2 more)":       {Kind: client.KindMembers, Change: &client.GroupChange{Added: strings.Split("abcdefghijkl", "")}},
		"(the group is no longer a large one)":                  {Kind: client.KindDiffusion, Change: &client.GroupChange{Mode: client.ModeWrite}},
		"(this message could not be read)":                      {Kind: client.KindVoid},
		"(a message of a kind that this program does not know)": {Kind: "picture"},
	} {
		if got := words(m); got != want {
			t.Errorf("%+v became %q", m, got)
		}
	}
}

func TestCtrlDWaitsForTheLastAnswer(t *testing.T) {
	t.Parallel()
	s := clienttest.New(t)
	alice := sitDown(t, s, "alice", "bob")
	for i := range 600 { // more than may be on its way at once
		alice.types(fmt.Sprint("line ", i))
	}
	alice.leaves()
	if n := strings.Count(alice.text(), "✓"); n != 600 {
		t.Errorf("%d of 600 were confirmed", n)
	}
}

func TestAScriptSaysItsText(t *testing.T) {
	t.Parallel()
	s := clienttest.New(t)
	var out strings.Builder
	c := newChat(t, s, options{as: "alice", with: []string{"bob"}, say: "beep", count: 1200}, &out)
	if err := c.sayAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	var chain []wire.Message
	for _, chain = range s.Chains() {
	}
	if last := string(chain[len(chain)-1].Content); len(chain) != 1200 || !strings.Contains(last, `"beep 1200"`) {
		t.Errorf("%d stored, the last is %s", len(chain), last)
	}
	if !strings.Contains(out.String(), "Sent 1200 in ") {
		t.Errorf("it says %q", out.String())
	}
	s.Harm(func(*wire.Frame) clienttest.Harm { return clienttest.Harm{Refuse: wire.CodeForbidden} })
	if err := c.sayAll(t.Context()); err == nil {
		t.Error("a refused text is a success")
	}
}

func TestWrongUseIsAnsweredKindly(t *testing.T) {
	for want, args := range map[string][]string{
		"--as needs a name": {"--with", "bob"},
		"--with needs":      {"--as", "alice"},
		"with several":      {"--as", "alice", "--with", "bob", "--with", "carol"},
		"--group needs":     {"--as", "alice", "--group", "a\"b"},
		"same person":       {"--as", "bob", "--with", "bob"},
		"--count":           {"--as", "alice", "--with", "bob", "--count", "0"},
		"--history":         {"--as", "alice", "--with", "bob", "--history", "201"},
		" serve --data ":    {"--as", "alice", "--with", "bob", "--data", t.TempDir()},
	} {
		cmd := Command()
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(args)
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestAStrangersTextIsHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"a\tb\nc":            "a b c",
		"\x1b]0;x\x07\u009b": "\ufffd]0;x\ufffd\ufffd",
		"a\u202eb":           "a\ufffdb",
		"👩\u200d🚀 日本語 é":     "👩\u200d🚀 日本語 é",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
	for bound, want := range map[string]string{
		"127.0.0.1:8080": "127.0.0.1:8080", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80", ":80": "127.0.0.1:80", "im.example:80": "im.example:80",
	} {
		if got := reachable(bound); got != want {
			t.Errorf("%s became %s", bound, got)
		}
	}
}
