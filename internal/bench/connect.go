package bench

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	// connectors is how many links are set up at once.
	connectors = 16
	// readLimit bounds a WebSocket message from the server, in bytes; the
	// server may gather frames.
	readLimit = 4 << 20
	// pingAtMost is the longest time between two pings of a link.
	pingAtMost = 20 * time.Second
)

// shape says who writes to whom.
type shape struct {
	users int
	// peers of a sender: user i opens a conversation with the peers users
	// after it. 0 makes pairs: every even user writes to the next one.
	peers int
	// senders of a group of all users; 0: there is no group.
	senders int
	// large: the group is one whose messages go into no inbox.
	large bool
}

// conversations returns how many there are, or lines of senders into a group.
func (s shape) conversations() int {
	if s.senders > 0 {
		return s.senders
	}
	if s.peers == 0 {
		return s.users / 2
	}
	return s.users * s.peers
}

// connect signs the users of a shape in and opens their conversations; the
// load that it returns is not started. ctx bounds the setting up only.
func connect(ctx context.Context, t *target, texts *textPool, s shape) (*load, error) {
	names := userNames(s.users)
	tokens, err := t.tokens(ctx, names)
	if err != nil {
		return nil, err
	}
	l := newLoad(texts)
	if s.senders > 0 {
		l.group, err = assemble(ctx, t, texts, names, tokens, s)
	}
	if err == nil {
		err = l.signIn(ctx, t, names, tokens)
	}
	if err == nil {
		err = l.open(ctx, s)
	}
	if err != nil {
		l.close()
		return nil, harness("%w", err)
	}
	return l, nil
}

// userNames returns the names of n users.
func userNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("bench-%05d", i)
	}
	return names
}

// signIn opens a link for each user.
func (l *load) signIn(ctx context.Context, t *target, names []string, tokens map[string]string) error {
	l.links = make([]*link, len(names))
	return inParallel(ctx, len(names), func(ctx context.Context, i int) error {
		k, beat, err := l.dial(ctx, sources.of(i), t.listen, names[i], tokens[names[i]])
		if err != nil {
			return fmt.Errorf("signing in %s: %w", names[i], err)
		}
		l.links[i] = k
		if i == 0 {
			l.pingNano = min(int64(pingAtMost), beat*7/10)
		}
		return nil
	})
}

// inParallel runs do for 0 to n-1 on a few goroutines and returns the first error.
func inParallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range connectors {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// dial opens one link and says hello; beat is the server's, in ns.
func (l *load) dial(ctx context.Context, client *http.Client, addr, user, token string) (k *link, beat int64, err error) {
	ws, _, err := websocket.Dial(ctx, "ws://"+addr+"/v1/link", &websocket.DialOptions{
		HTTPClient:      client,
		Subprotocols:    []string{"merchantim.v1.json"},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, 0, err
	}
	ws.SetReadLimit(readLimit)
	k = &link{load: l, user: user, ws: ws, in: make([]byte, 0, 4096)}
	err = k.ask(ctx, appendHello(nil, token), 1, func(f *frame) error {
		if string(f.kind) != "welcome" {
			return fmt.Errorf("hello was answered with %s %s", f.kind, f.code)
		}
		k.inbox, k.heads = f.inboxIndex, f.heads
		k.limit = int(min(max(f.maxInflight, 1), math.MaxInt32))
		beat = max(f.heartbeatMS, 1000) * int64(time.Millisecond)
		return nil
	})
	if err != nil {
		_ = ws.CloseNow()
		return nil, 0, err
	}
	return k, beat, nil
}

// ask writes frames and hands out their answers, before the reader is started.
func (k *link) ask(ctx context.Context, frames []byte, answers int, take func(*frame) error) error {
	stop := context.AfterFunc(ctx, func() { _ = k.ws.CloseNow() })
	defer stop()
	if err := k.ws.Write(context.Background(), websocket.MessageText, frames); err != nil {
		return err
	}
	for answers > 0 {
		if err := k.message(); err != nil {
			return fmt.Errorf("waiting for an answer: %w", err)
		}
		for rest := k.in; len(rest) > 0; {
			var line []byte
			line, rest, _ = bytes.Cut(rest, newline)
			if err := scanFrame(line, &k.frame); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
			if kind := string(k.frame.kind); kind == "msg" || kind == "own" {
				continue // a push; who wants them starts the reader
			}
			if err := take(&k.frame); err != nil {
				return err
			}
			answers--
		}
	}
	return nil
}

// openBatch is how many conversations a link opens at a time. Links take turns,
// so that none is silent for long while many conversations are opened.
const openBatch = 10

// open makes the conversations of a shape.
func (l *load) open(ctx context.Context, s shape) error {
	l.convs = make([]*conversation, s.conversations())
	if s.senders > 0 {
		l.join(s)
		return nil
	}
	if s.peers == 0 {
		return inParallel(ctx, len(l.convs), func(ctx context.Context, i int) error {
			return l.openFrom(ctx, 2*i, []int{2*i + 1}, i)
		})
	}
	for first := 0; first < s.peers; first += openBatch {
		err := inParallel(ctx, s.users, func(ctx context.Context, i int) error {
			var with []int
			for p := first; p < min(first+openBatch, s.peers); p++ {
				with = append(with, (i+1+p)%s.users)
			}
			return l.openFrom(ctx, i, with, i*s.peers+first)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// openFrom opens a user's conversations with others and numbers them from number.
func (l *load) openFrom(ctx context.Context, user int, with []int, number int) error {
	k := l.links[user]
	var frames []byte
	for i, w := range with {
		if i > 0 {
			frames = append(frames, '\n')
		}
		frames = appendOpen(frames, i, l.links[w].user)
	}
	err := k.ask(ctx, frames, len(with), func(f *frame) error {
		i, err := strconv.Atoi(string(f.id))
		if string(f.kind) != "opened" || err != nil || i < 0 || i >= len(with) || len(f.conversation) == 0 {
			return fmt.Errorf("open was answered with %s %s %q", f.kind, f.code, f.id)
		}
		l.convs[number+i] = &conversation{
			number: uint32(number + i), id: string(f.conversation), from: k, to: l.links[with[i]],
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("opening conversations of %s: %w", k.user, err)
	}
	return nil
}
