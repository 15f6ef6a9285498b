package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/coder/websocket"
)

// link is one user's connection. Its reader goroutine owns the receiving side;
// mu guards the sending side, and every write happens under it.
type link struct {
	load *load
	user string
	ws   *websocket.Conn

	mu         sync.Mutex
	buf        []byte          // the frame being written
	unanswered int             // sends on the way, over all conversations
	limit      int             // the server's max_inflight
	waiting    []*conversation // with messages to write, once unanswered is below limit

	// The reader's.
	in    []byte
	frame frame
	inbox int64 // newest inbox entry seen
	heads int64 // as the welcome said
	heard hearing
}

// write sends what is in buf as one WebSocket message. The context is the
// background: a cancellable one costs a goroutine's start for each write. The
// end of a link is told by its reader, who knows the reason.
func (k *link) write() {
	err := k.ws.Write(context.Background(), websocket.MessageText, k.buf)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		k.load.fail(product("writing to the link of %s: %s", k.user, closedBy(err)))
	}
}

// Ids of pings: lastPing's pong is counted.
const (
	heartbeat = "ping"
	lastPing  = "last"
)

func (k *link) ping(id string) {
	k.mu.Lock()
	k.buf = appendPing(k.buf[:0], id)
	k.write()
	k.mu.Unlock()
}

// pump writes what a conversation has to write, as far as the link's limit
// allows. mu is held.
func (k *link) pump(c *conversation) {
	for k.unanswered < k.limit {
		seq, ok := c.out.write()
		if !ok {
			return
		}
		k.unanswered++
		k.send(c, seq)
	}
	if !c.out.waiting && !c.out.refused && c.out.unsent != c.out.next {
		c.out.waiting = true
		k.waiting = append(k.waiting, c)
	}
}

// pumpWaiting gives the conversations that met the limit another turn.
func (k *link) pumpWaiting() {
	for len(k.waiting) > 0 && k.unanswered < k.limit {
		c := k.waiting[0]
		k.waiting = k.waiting[1:]
		c.out.waiting = false
		k.pump(c)
	}
}

// send writes one message.
func (k *link) send(c *conversation, seq uint32) {
	var before [keyBytes]byte
	after := before[:0]
	if seq > 0 {
		after = messageKey{conv: c.number, seq: seq - 1, at: c.out.at(seq - 1)}.appendTo(after)
	}
	key := messageKey{conv: c.number, seq: seq, at: c.out.at(seq)}
	k.buf = appendSend(k.buf[:0], c.id, key, after, k.load.texts.of(c.number, seq))
	k.write()
}

// read takes frames until the link ends.
func (k *link) read() {
	for {
		if err := k.message(); err != nil {
			k.load.fail(product("the link of %s ended: %s", k.user, closedBy(err)))
			return
		}
		now := k.load.now()
		for rest := k.in; len(rest) > 0; {
			line, more, _ := bytes.Cut(rest, newline)
			rest = more
			k.take(line, now)
		}
	}
}

var newline = []byte("\n")

// message reads one WebSocket message into in.
func (k *link) message() error {
	kind, r, err := k.ws.Reader(context.Background())
	if err != nil {
		return err
	}
	if kind != websocket.MessageText {
		return fmt.Errorf("a message of kind %v", kind)
	}
	k.in, err = readInto(k.in[:0], r)
	return err
}

// readInto appends all that r has to b, growing it as needed.
func readInto(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// take handles one frame received at now (ns).
func (k *link) take(line []byte, now int64) {
	if err := scanFrame(line, &k.frame); err != nil {
		k.load.fault(faultFrame, "%q: %v", line, err)
		return
	}
	f := &k.frame
	switch string(f.kind) {
	case "msg":
		k.follow(f)
		k.deliver(f, now)
	case "own":
		k.follow(f)
		k.hearOwn(f)
		k.load.own.Add(1)
	case "sent":
		k.sent(f, now)
	case "error":
		k.refused(f, now)
	case "pong":
		k.pong(f)
	default:
		k.load.fault(faultFrame, "of type %q", f.kind)
	}
}

// follow checks that an inbox entry follows the one before.
func (k *link) follow(f *frame) {
	if k.load.group.isLarge() {
		if f.inboxIndex != 0 {
			k.load.fault(faultInbox, "an entry of a large group has a place, %d, in the inbox of %s", f.inboxIndex, k.user)
		}
		return
	}
	if f.inboxPre != k.inbox || f.inboxIndex <= k.inbox {
		k.load.fault(faultInbox, "entry %d after %d at %s, who had %d", f.inboxIndex, f.inboxPre, k.user, k.inbox)
	}
	k.inbox = max(k.inbox, f.inboxIndex)
}

// pong checks that nothing pushed before it is missing. While messages are on
// the way, a pong may know of an entry that is about to be pushed: a client
// then pulls for nothing, which is counted, not a fault.
func (k *link) pong(f *frame) {
	ahead := f.inboxIndex > k.inbox
	if string(f.id) != lastPing {
		if ahead {
			k.load.pongsAhead.Add(1)
		}
		return
	}
	if k.load.group.isLarge() && f.heads != k.heard.index {
		k.load.fault(faultInbox, "the last pong says heads %d, %s has %d", f.heads, k.user, k.heard.index)
	}
	if ahead {
		k.load.fault(faultInbox, "the last pong says %d, the newest pushed to %s was %d", f.inboxIndex, k.user, k.inbox)
	}
	k.load.pongs.Add(1)
}
