//go:build node

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// nodePatience is how long a story with back-off in it may take.
const nodePatience = 60 * time.Second

// kept is what the client in Node keeps.
type kept struct {
	Epoch    string                      `json:"epoch"`
	Index    uint64                      `json:"index"`
	Heads    uint64                      `json:"heads"`
	Inbox    []map[string]any            `json:"inbox"`
	Chains   map[string][]map[string]any `json:"chains"`
	Large    []string                    `json:"large"`
	Rows     []map[string]any            `json:"rows"`
	Version  uint64                      `json:"version"`
	Refusals map[string]int              `json:"refusals"`
}

// told is a line that the client writes.
type told struct {
	ID    int             `json:"id"`
	OK    json.RawMessage `json:"ok"`
	Error *struct {
		Code, Message string
	}
	Event     string
	Link      string
	Recovered bool
	Code      int
	Message   struct {
		Conversation string
		Index        uint64
	}
}

// spot is a place in a chain.
type spot struct {
	conversation string
	index        uint64
}

// node is a person whose client runs in Node, in a process of its own.
type node struct {
	t     *testing.T
	name  string
	token string
	relay *relay

	cmd    *exec.Cmd
	in     io.WriteCloser
	ended  chan struct{}
	events chan told // all but messages

	held *[]fields // orders to be given together

	mu      sync.Mutex
	next    int
	waiting map[int]chan told
	seen    map[spot]int // messages handed out, by all processes of this person
}

// enterNode starts a client that knows nothing yet, and waits for its welcome.
func enterNode(t *testing.T, r *relay, name, token string) *node {
	t.Helper()
	n := &node{t: t, name: name, token: token, relay: r, seen: make(map[spot]int)}
	n.start(nil)
	n.linked("long")
	return n
}

// start runs a new process that goes on from what another one kept.
func (n *node) start(from *kept) {
	n.t.Helper()
	n.cmd = exec.Command("node", "testdata/node/main.js")
	n.cmd.Stderr = os.Stderr
	var err error
	if n.in, err = n.cmd.StdinPipe(); err != nil {
		n.t.Fatal(err)
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.ended, n.events, n.waiting = make(chan struct{}), make(chan told, 10_000), make(map[int]chan told)
	go n.listen(out)
	n.t.Cleanup(n.end)
	n.ok("start", fields{
		"url": n.relay.url(), "token": n.token, "device": n.name, "kept": from,
		"patience": 1500, "retry": fields{"base_ms": 50, "cap_ms": 1000},
	}, nil)
}

// end closes what the process reads; that ends it.
func (n *node) end() {
	_ = n.in.Close()
	<-n.ended
	_ = n.cmd.Wait() // how it ends says nothing
}

// listen owns the process's output, until its end.
func (n *node) listen(out io.Reader) {
	defer close(n.ended)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line told
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			n.t.Errorf("%s wrote %.200q: %v", n.name, lines.Bytes(), err)
			return
		}
		n.take(line)
	}
}

func (n *node) take(line told) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch line.Event {
	case "message":
		n.seen[spot{line.Message.Conversation, line.Message.Index}]++
	case "":
		n.waiting[line.ID] <- line
		delete(n.waiting, line.ID)
	default:
		n.events <- line
	}
}

// fields are those of a request.
type fields map[string]any

// order writes a request; its answer comes on the channel.
func (n *node) order(do string, f fields) <-chan told {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	line := fields{"id": n.next, "do": do}
	for k, v := range f {
		line[k] = v
	}
	answer := make(chan told, 1)
	n.waiting[n.next] = answer
	if n.held != nil {
		*n.held = append(*n.held, line)
		return answer
	}
	b, err := json.Marshal(line)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.in.Write(append(b, '\n')); err != nil {
		n.t.Fatalf("%s: %v", n.name, err)
	}
	return answer
}

// together gives all that is ordered meanwhile at one moment.
func (n *node) together(order func()) {
	n.t.Helper()
	var all []fields
	n.held = &all
	order()
	n.held = nil
	n.ok("together", fields{"orders": all}, nil)
}

// answer waits for one.
func (n *node) answer(from <-chan told) told {
	n.t.Helper()
	select {
	case a := <-from:
		return a
	case <-n.ended:
		n.t.Fatalf("%s's client has ended", n.name)
	case <-time.After(nodePatience):
		n.t.Fatalf("%s does not answer", n.name)
	}
	return told{}
}

func (n *node) ok(do string, f fields, into any) {
	n.t.Helper()
	n.okay(n.answer(n.order(do, f)), into)
}

func (n *node) okay(a told, into any) {
	n.t.Helper()
	if a.Error != nil {
		n.t.Fatalf("%s: %s %s", n.name, a.Error.Code, a.Error.Message)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(a.OK, into); err != nil {
		n.t.Fatalf("%s: %v", n.name, err)
	}
}

// event waits for one that is as wanted; those before it are passed over.
func (n *node) event(what string, is func(told) bool) told {
	n.t.Helper()
	for deadline := time.After(nodePatience); ; {
		select {
		case e := <-n.events:
			if is(e) {
				return e
			}
		case <-n.ended:
			n.t.Fatalf("%s's client has ended", n.name)
		case <-deadline:
			n.t.Fatalf("%s: no %s", n.name, what)
		}
	}
}

func (n *node) linked(by string) told {
	n.t.Helper()
	return n.event(by+" link", func(e told) bool { return e.Event == "state" && e.Link == by })
}

func (n *node) closed(code int) {
	n.t.Helper()
	n.event(fmt.Sprint("close code ", code), func(e told) bool { return e.Event == "end" && e.Code == code })
}

// conversationOf reads the answer to open or create.
func (n *node) conversationOf(do string, f fields) string {
	n.t.Helper()
	var opened struct{ Conversation string }
	n.ok(do, f, &opened)
	return opened.Conversation
}

func (n *node) open(with string) string {
	n.t.Helper()
	return n.conversationOf("open", fields{"with": with})
}

func (n *node) change(conversation string, add, remove []string) uint64 {
	n.t.Helper()
	var changed struct{ Index uint64 }
	n.ok("change", fields{"conversation": conversation, "add": add, "remove": remove}, &changed)
	return changed.Index
}

func (n *node) dump() *kept {
	n.t.Helper()
	k := new(kept)
	n.ok("dump", nil, k)
	return k
}

// leave stops the client; what it keeps goes into the next start.
func (n *node) leave() *kept {
	n.t.Helper()
	k := new(kept)
	n.ok("stop", nil, k)
	n.end()
	return k
}
