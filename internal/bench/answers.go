package bench

import "bytes"

// conversation returns the conversation that a frame's key or id names, if this link
// is its sender (or its receiver) and the key is one of ours.
func (k *link) conversation(text []byte, sender bool) (*conversation, messageKey, bool) {
	key, ok := parseKey(text)
	if !ok || int(key.conv) >= len(k.load.convs) {
		return nil, key, false
	}
	c := k.load.convs[key.conv]
	if sender {
		return c, key, c.from == k
	}
	return c, key, c.to == k
}

// deliver counts and checks one pushed message.
func (k *link) deliver(f *frame, now int64) {
	if k.load.group != nil {
		k.hear(f, now)
		return
	}
	c, key, ok := k.conversation(f.key, false)
	if !ok || string(f.conversation) != c.id {
		k.load.fault(faultFrame, "message %q of conversation %q at %s", f.key, f.conversation, k.user)
		return
	}
	switch {
	case key.seq < c.nextSeq:
		k.load.fault(faultRepeated, "message %d of conversation %d, after %d", key.seq, key.conv, int64(c.nextSeq)-1)
		return
	case key.seq > c.nextSeq && k.load.torrent == nil:
		k.load.fault(faultSkipped, "message %d of conversation %d, before %d", key.seq, key.conv, c.nextSeq)
	}
	c.nextSeq = key.seq + 1
	if !bytes.Equal(f.text, k.load.texts.of(key.conv, key.seq)) {
		k.load.fault(faultText, "message %d of conversation %d: %q", key.seq, key.conv, f.text)
	}
	if f.pre != c.lastIndex || f.index <= c.lastIndex || f.n != c.lastN+1 {
		k.load.fault(faultIndex, "message %d of conversation %d: index %d, pre %d, n %d after index %d, n %d",
			key.seq, key.conv, f.index, f.pre, f.n, c.lastIndex, c.lastN)
	}
	c.lastIndex, c.lastN = f.index, f.n
	k.load.torrent.delivered(c, key, now)
	if k.load.counted(key.at) {
		k.load.delivery.record(now - key.at*1000)
	}
	k.load.delivered.Add(1)
}

// sent takes the answer to an accepted message and, in a closed loop, sends
// the next one.
func (k *link) sent(f *frame, now int64) {
	c, key, ok := k.conversation(f.key, true)
	if !ok || string(f.conversation) != c.id || !bytes.Equal(f.id, f.key) {
		k.load.fault(faultAnswer, "sent %q for key %q to %s", f.id, f.key, k.user)
		return
	}
	if k.load.torrent != nil {
		k.load.torrent.sent(k, c, key, now)
		return
	}
	if k.load.counted(key.at) {
		k.load.ack.record(now - key.at*1000)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !c.out.waitsFor(key.seq) {
		k.load.fault(faultAnswer, "sent for message %d of conversation %d", key.seq, key.conv)
		return
	}
	if !c.out.accept(key.seq, f.index) {
		k.load.fault(faultIndex, "message %d of conversation %d got index %d", key.seq, key.conv, f.index)
	}
	k.load.accepted.Add(1)
	if k.load.closed && k.load.group == nil && !k.load.stopping.Load() {
		k.load.offered.Add(1)
		c.out.offer(k.load.now() / 1000)
	}
	k.answered(c)
}

// refused takes an error frame.
func (k *link) refused(f *frame, now int64) {
	k.load.refused(string(f.code))
	c, key, ok := k.conversation(f.id, true)
	if !ok {
		k.load.fault(faultAnswer, "error %q for %q to %s", f.code, f.id, k.user)
		return
	}
	switch string(f.code) {
	case "overloaded", "unavailable", "predecessor_missing":
	default:
		k.load.fail(product("message %d of conversation %d was refused: %s", key.seq, key.conv, f.code))
		return
	}
	if k.load.torrent != nil {
		k.load.torrent.refused(k, c, key)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !c.out.waitsFor(key.seq) {
		k.load.fault(faultAnswer, "error %q for message %d of conversation %d", f.code, key.seq, key.conv)
		return
	}
	c.out.refuse(key.seq, now+f.retryMS*1e6)
	k.answered(c)
}

// answered follows up an answer to a conversation's message. mu is held.
func (k *link) answered(c *conversation) {
	k.unanswered--
	switch {
	case c.out.quiet() && !c.out.resting:
		k.load.lay(c)
	default:
		k.pump(c)
	}
	k.pumpWaiting()
}
