package bench

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"
)

// group is the one conversation of all users of a load.
type group struct {
	id      string
	members int
	large   bool
}

// receivers returns how many users get each message, its sender left out.
func (g *group) receivers() int64 {
	if g == nil {
		return 1
	}
	return int64(g.members - 1)
}

func (g *group) isLarge() bool { return g != nil && g.large }

// hearing is a member's side of a group; it belongs to the reader of his link.
type hearing struct {
	next        []uint32 // the number awaited, by line
	index, n    int64    // of the newest entry
	anythingYet bool     // index is set
}

// namedAtMost is how many users one request may name.
const namedAtMost = 500

// assemble makes a group of users, the first of whom owns it, over a link that
// is closed again: members come on when everything of it is in their inboxes.
func assemble(ctx context.Context, t *target, texts *textPool, names []string, tokens map[string]string, s shape) (*group, error) {
	l := newLoad(texts)
	defer l.close()
	if err := l.signIn(ctx, t, names[:1], tokens); err != nil {
		return nil, err
	}
	g := &group{members: len(names), large: s.large}
	rest := names[1:]
	some := min(len(rest), namedAtMost)
	err := l.links[0].ask(ctx, appendCreate(nil, 0, "group", rest[:some]), 1, func(f *frame) error {
		if string(f.kind) != "opened" {
			return fmt.Errorf("create was answered with %s %s", f.kind, f.code)
		}
		g.id = string(f.conversation)
		return nil
	})
	for i := some; err == nil && i < len(rest); i += namedAtMost {
		add := rest[i:min(i+namedAtMost, len(rest))]
		err = l.links[0].ask(ctx, appendChange(nil, i, g.id, add), 1, func(f *frame) error {
			if string(f.kind) != "changed" || string(f.id) != strconv.Itoa(i) {
				return fmt.Errorf("change was answered with %s %s", f.kind, f.code)
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("making a group of %d: %w", len(names), err)
	}
	return g, l.settle(ctx, t, time.Now(), &result{})
}

// join gives the senders of a group their lines, spread over the members.
func (l *load) join(s shape) {
	for _, k := range l.links {
		k.heard.next = make([]uint32, s.senders)
		if s.large { // his heads are this group's
			k.heard.index, k.heard.anythingYet = k.heads, true
		}
	}
	for i := range l.convs {
		l.convs[i] = &conversation{number: uint32(i), id: l.group.id, from: l.links[i*s.users/s.senders]}
	}
}

// hear counts and checks one message of the group at a member.
func (k *link) hear(f *frame, now int64) {
	key, ok := parseKey(f.key)
	if !ok || int(key.conv) >= len(k.load.convs) || string(f.conversation) != k.load.group.id || k.load.convs[key.conv].from == k {
		k.load.fault(faultFrame, "message %q of conversation %q, a %s, at %s", f.key, f.conversation, f.content, k.user)
		return
	}
	h, c := &k.heard, k.load.convs[key.conv]
	next := h.next[key.conv]
	switch {
	case key.seq < next:
		k.load.fault(faultRepeated, "message %d of line %d at %s, after %d", key.seq, key.conv, k.user, int64(next)-1)
		return
	case key.seq > next:
		k.load.fault(faultSkipped, "message %d of line %d at %s, before %d", key.seq, key.conv, k.user, next)
	}
	h.next[key.conv] = key.seq + 1
	if !bytes.Equal(f.text, k.load.texts.of(key.conv, key.seq)) {
		k.load.fault(faultText, "message %d of line %d at %s: %q", key.seq, key.conv, k.user, f.text)
	}
	if !h.anythingYet {
		h.anythingYet, h.index = true, f.pre
	}
	if f.pre != h.index || f.index <= h.index || f.n != h.n+1 {
		k.load.fault(faultIndex, "message %d of line %d at %s: index %d, pre %d, n %d after index %d, n %d",
			key.seq, key.conv, k.user, f.index, f.pre, f.n, h.index, h.n)
	}
	h.index, h.n = f.index, f.n
	if k.load.counted(key.at) {
		k.load.delivery.record(now - key.at*1000)
	}
	k.load.delivered.Add(1)
	k.load.reached(c)
}

// hearOwn takes a member's own message in its place among the others'.
func (k *link) hearOwn(f *frame) {
	if k.load.group == nil {
		return
	}
	h := &k.heard
	if f.index <= h.index || string(f.conversation) != k.load.group.id {
		k.load.fault(faultIndex, "own entry %d of %q at %s after %d", f.index, f.conversation, k.user, h.index)
	}
	h.index, h.anythingYet = f.index, true
	h.n++
}

// reached goes on with a line of a closed loop whenever as many members have
// got its messages as one message has receivers. So a message is on the way
// until all have it. An answer alone would not do: it waits for nobody, and the
// loop would be none.
func (l *load) reached(c *conversation) {
	if c.heard.Add(1)%l.group.receivers() == 0 && l.closed && !l.stopping.Load() {
		l.offer(c, l.now()/1000)
	}
}
