package bench

import (
	"testing"

	"pgregory.net/rapid"
)

// A server that refuses at random but keeps to the protocol (it refuses what
// comes after a refused one) gets every message exactly once and in order.
func TestOutboxKeepsOrderThroughRefusals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o outbox
		total := rapid.Uint32Range(1, 60).Draw(t, "total")
		var offered, stored uint32
		var onTheWay []uint32
		for stored < total || o.unanswered > 0 {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				if offered < total {
					o.offer(int64(offered))
					offered++
				}
			case 1:
				if seq, ok := o.write(); ok {
					if o.at(seq) != int64(seq) || seq > 0 && o.at(seq-1) != int64(seq-1) {
						t.Fatalf("message %d: at %d", seq, o.at(seq))
					}
					onTheWay = append(onTheWay, seq)
				}
			case 2:
				if len(onTheWay) == 0 {
					continue
				}
				seq := onTheWay[0]
				onTheWay = onTheWay[1:]
				if !o.waitsFor(seq) {
					t.Fatalf("%d is on its way and not waited for", seq)
				}
				if seq != stored || rapid.IntRange(0, 3).Draw(t, "verdict") == 0 {
					o.refuse(seq, 0)
					continue
				}
				stored++
				if !o.accept(seq, int64(stored)) {
					t.Fatalf("%d: indices in order were called out of order", seq)
				}
			case 3:
				if o.quiet() {
					o.retry()
				}
			}
		}
		if o.base != total || o.unsent != total || o.next != total {
			t.Fatalf("after %d messages: base %d, unsent %d, next %d", total, o.base, o.unsent, o.next)
		}
	})
}

func TestOutboxSeesIndicesThatFall(t *testing.T) {
	var o outbox
	for range 3 {
		o.offer(0)
		o.write()
	}
	if !o.accept(2, 7) || !o.accept(0, 5) {
		t.Error("answers in another order are not yet an error")
	}
	if o.accept(1, 8) {
		t.Error("message 1 has index 8, message 2 has 7, and nothing was said")
	}
}

func TestOutboxKnowsStrayAnswers(t *testing.T) {
	var o outbox
	o.offer(0)
	if o.waitsFor(0) {
		t.Error("a message not written is waited for")
	}
	o.write()
	if !o.waitsFor(0) || o.waitsFor(1) || o.waitsFor(1<<31) {
		t.Error("not exactly the message written is waited for")
	}
	o.accept(0, 1)
	if o.waitsFor(0) {
		t.Error("an accepted message is waited for")
	}
}
