package client

import (
	"testing"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// The position that is kept ends with the message handed over last: what still
// waits in line is read again by the next process (X1).
func TestThePositionFollowsWhatWasHandedOver(t *testing.T) {
	l := newLoop(nil, Options{Queue: 10}, Position{User: "bob", Epoch: "e1"}, "c")
	for i := uint64(1); i <= 3; i++ {
		l.box.line = append(l.box.line, item{inbox: true, message: Message{Inbox: Place{"e1", i}}})
	}
	l.box.inbox.at, l.box.inbox.known = 3, 3
	for i := uint64(1); i <= 3; i++ {
		l.handedOver()
		if p := &l.pending; p.Index != i || len(p.Messages) != int(i) {
			t.Errorf("after message %d the position is %d, with %d messages", i, p.Index, len(p.Messages))
		}
	}
}

// A welcome that is not recovered says that something is missing, and the client
// asks for it at once; behind one that is recovered it follows by itself (X3).
func TestAWelcomeTellsWhetherToAsk(t *testing.T) {
	for _, recovered := range []bool{false, true} {
		b := newMailbox(&Position{User: "bob", Epoch: "e1", Index: 3}, 10)
		w := &wire.Received{Recovered: recovered}
		w.User, w.Epoch, w.Inbox.Index = "bob", "e1", 5
		if b.greeted(w, false) {
			t.Fatal("the same numbering begins anew")
		}
		if asks := b.pull(b.inbox) > 0; asks == recovered {
			t.Errorf("recovered is %v, and the client asks: %v", recovered, asks)
		}
		b.tells(wire.Place{Index: 5}) // a pong
		if b.pull(b.inbox) == 0 {
			t.Error("the pong names an entry that the client does not have, and it does not ask")
		}
	}
}
