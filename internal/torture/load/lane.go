package load

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// message is one that its client wants stored.
type message struct {
	key   string
	after string
	text  string
	id    string // of the newest attempt on this link
	sent  time.Time
	short bool // the newest attempt was on the short link
}

// maxRecent is how many acked messages a lane keeps for deliberate repetitions.
const maxRecent = 32

// lane is one client's side of one conversation. What is not answered waits in
// pending, in order, and goes out again in order: after a lost link at once,
// after a refusal at resendAt.
type lane struct {
	peer     string
	group    bool   // a group's, with conv known from the first
	conv     string // empty until opened
	opening  bool
	pending  []*message
	lastKey  string // predecessor of the next message
	lastAck  string // newest key that has its receipt
	recent   []*message
	newest   int64 // newest index seen
	resendAt time.Time
}

func (l *lane) drop(m *message) {
	l.pending = slices.DeleteFunc(l.pending, func(x *message) bool { return x == m })
}

// giveUp forgets everything pending: the server refused for good what it had
// to take. The checker will say so; the lane goes on from its last receipt.
func (l *lane) giveUp() []*message {
	lost := l.pending
	l.pending, l.lastKey, l.resendAt = nil, l.lastAck, time.Time{}
	return lost
}

func (l *lane) acked(m *message) {
	l.drop(m)
	l.lastAck = m.key
	if len(l.recent) == maxRecent {
		l.recent = l.recent[1:]
	}
	l.recent = append(l.recent, m)
}

func (l *lane) frame(id, key, after, text string) trail.Frame {
	return trail.Frame{Type: "send", ID: id, After: trail.KeyRef(after), Entry: trail.Entry{
		Conversation: l.conv, Key: key, Content: &trail.Content{Type: "text", Text: text}}}
}

// say makes the next message of a lane, and intends it.
func (c *client) say(l *lane) {
	c.keys++
	key := fmt.Sprintf("%s-%x", c.device, c.keys)
	switch c.rng.IntN(10) { // any printable character but " and \
	case 0:
		key += "<'&>{}[]:,/~ " + string(rune('#'+c.rng.IntN(57)))
	case 1:
		key += strings.Repeat("k", 64-len(key))
	}
	m := &message{key: key, after: l.lastKey, text: text(c.rng, c.mark(), c.maxText)}
	l.lastKey = key
	l.pending = append(l.pending, m)
	c.outstanding++
	raw := encode(c.rng, c.attempt(l, m))
	c.trail.Intend(c.links, trail.Accept, raw)
	c.queue(raw)
}

// attempt gives the message a new id.
func (c *client) attempt(l *lane, m *message) trail.Frame {
	if m.id != "" && m.short != c.short {
		c.stats.Moved++
	}
	m.id, m.sent, m.short = c.nextID(), time.Now(), c.short
	c.asked[m.id] = question{lane: l, msg: m}
	return l.frame(m.id, m.key, m.after, m.text)
}

// resend sends everything pending of a lane again, in order.
func (c *client) resend(l *lane) {
	l.resendAt = time.Time{}
	for _, m := range l.pending {
		if m.id != "" {
			delete(c.asked, m.id) // an answer to an older attempt still counts, by its key
		}
		c.queue(encode(c.rng, c.attempt(l, m)))
	}
}

// mark is a word that no other text of the run starts with.
func (c *client) mark() string {
	c.marks++
	return fmt.Sprintf("%s.%s.%d", c.user.Name, c.device, c.marks)
}
