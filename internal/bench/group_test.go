package bench

import (
	"fmt"
	"testing"
)

// groupLoad is a load of a group of three, two of whom write; it takes frames
// and writes none.
func groupLoad(large bool) (l *load, reader *link) {
	l = newLoad(testPool())
	l.stopping.Store(true)
	l.group = &group{id: testConversation, members: 3, large: large}
	for i := range 3 {
		l.links = append(l.links, &link{load: l, user: fmt.Sprint(i), limit: 256})
	}
	l.convs = make([]*conversation, 2)
	s := shape{users: 3, senders: 2, large: large}
	l.links[2].heads = 3
	l.join(s)
	return l, l.links[2]
}

// word is a message of a group as a story tells it.
type word struct {
	line, seq             uint32
	inbox, index, pre, nn int64
}

func (w word) frame(l *load) []byte {
	place := ""
	if w.inbox != 0 {
		place = fmt.Sprintf(`"inbox":{"index":%d,"pre":%d},`, w.inbox, w.inbox-1)
	}
	return fmt.Appendf(nil, `{"type":"msg",%s"conversation":"%s","index":%d,"pre":%d,"n":%d,"key":"%s","content":{"type":"text","text":"%s"}}`,
		place, testConversation, w.index, w.pre, w.nn, messageKey{conv: w.line, seq: w.seq}.appendTo(nil), l.texts.of(w.line, w.seq))
}

func TestAGroupsMessagesAreChecked(t *testing.T) {
	for _, c := range []struct {
		story string
		large bool
		words []word
		want  []fault
	}{
		{"two lines mingled", false, []word{{0, 0, 1, 4, 3, 1}, {1, 0, 2, 5, 4, 2}, {0, 1, 3, 6, 5, 3}}, nil},
		{"one twice", false, []word{{0, 0, 1, 4, 3, 1}, {0, 0, 2, 4, 3, 1}}, []fault{faultRepeated}},
		{"the first of a line is lost", false, []word{{0, 1, 1, 4, 3, 1}}, []fault{faultSkipped}},
		{"one of the chain is lost", false, []word{{0, 0, 1, 4, 3, 1}, {1, 0, 2, 6, 5, 3}}, []fault{faultIndex}},
		{"none of the inbox", false, []word{{0, 0, 0, 4, 3, 1}}, []fault{faultInbox}},
		{"large", true, []word{{0, 0, 0, 4, 3, 1}, {1, 0, 0, 5, 4, 2}}, nil},
		{"large, the first is lost", true, []word{{1, 0, 0, 5, 4, 2}}, []fault{faultIndex}},
		{"large, in the inbox", true, []word{{0, 0, 1, 4, 3, 1}}, []fault{faultInbox}},
	} {
		l, reader := groupLoad(c.large)
		for _, w := range c.words {
			reader.take(w.frame(l), 0)
		}
		expectFaults(t, c.story, l, c.want)
	}
}

func TestOwnMessagesStandAmongTheOthers(t *testing.T) {
	l, _ := groupLoad(false)
	writer := l.links[0]
	writer.take(word{1, 0, 1, 4, 3, 1}.frame(l), 0)
	writer.take(fmt.Appendf(nil, `{"type":"own","inbox":{"index":2,"pre":1},"conversation":"%s","index":5}`, testConversation), 0)
	writer.take(word{1, 1, 3, 6, 5, 3}.frame(l), 0)
	expectFaults(t, "own between", l, nil)
	writer.take(word{0, 0, 4, 7, 6, 4}.frame(l), 0)
	expectFaults(t, "his own as another's", l, []fault{faultFrame})
}

func TestTheLastPongTellsALargeGroupsHead(t *testing.T) {
	for heads, want := range map[int]fault{4: faults, 5: faultInbox, 3: faultInbox} {
		l, reader := groupLoad(true)
		reader.take(word{0, 0, 0, 4, 3, 1}.frame(l), 0)
		reader.take(fmt.Appendf(nil, `{"type":"pong","id":"last","inbox":{"index":0,"heads":%d}}`, heads), 0)
		var faulty []fault
		if want != faults {
			faulty = []fault{want}
		}
		expectFaults(t, fmt.Sprintf("heads %d", heads), l, faulty)
	}
}

// A line goes on once all members have got its message.
func TestAMessageOfAGroupIsOnTheWayUntilAllHaveIt(t *testing.T) {
	l, _ := groupLoad(false)
	l.closed = true
	l.stopping.Store(false)
	c := l.convs[0]
	c.from.limit = 0 // nothing is written: there is no socket
	for heard, want := range []int64{0, 0, 1, 1, 2} {
		if heard > 0 {
			l.reached(c)
		}
		if got := l.offered.Load(); got != want {
			t.Errorf("after %d deliveries %d were offered, want %d", heard, got, want)
		}
	}
}
