package bench

import (
	"fmt"
	"sync"
	"testing"
)

// testPool is read only, so tests share it.
var testPool = sync.OnceValue(func() *textPool { return newTextPool(1) })

// quietLoad is a load of one conversation with nobody behind the links: it
// takes frames and, since it is stopping, writes none.
func quietLoad() (l *load, sender, receiver *link) {
	l = newLoad(testPool())
	l.stopping.Store(true)
	sender = &link{load: l, user: "sender", limit: 256}
	receiver = &link{load: l, user: "receiver", limit: 256}
	l.links = []*link{sender, receiver}
	l.convs = []*conversation{{number: 0, id: testConversation, from: sender, to: receiver}}
	return l, sender, receiver
}

// push is a delivered message as a story tells it; zero fields follow on from seq.
type push struct {
	seq                            uint32
	inbox, inboxPre, index, pre, n int64
	text                           string
}

func (p push) frame(l *load) []byte {
	i := int64(p.seq) + 1
	or := func(v, otherwise int64) int64 {
		if v != 0 {
			return v
		}
		return otherwise
	}
	text := p.text
	if text == "" {
		text = string(l.texts.of(0, p.seq))
	}
	return fmt.Appendf(nil, `{"type":"msg","inbox":{"index":%d,"pre":%d},"conversation":"%s","index":%d,"pre":%d,"n":%d,"key":"%s","content":{"type":"text","text":"%s"}}`,
		or(p.inbox, i), or(p.inboxPre, i-1), testConversation, or(p.index, i), or(p.pre, i-1), or(p.n, i),
		messageKey{seq: p.seq}.appendTo(nil), text)
}

func TestDeliveriesAreChecked(t *testing.T) {
	for _, c := range []struct {
		story  string
		pushes []push
		want   []fault
	}{
		{"three messages in order", []push{{seq: 0}, {seq: 1}, {seq: 2}}, nil},
		{"indices may leave holes", []push{{seq: 0, index: 4}, {seq: 1, index: 9, pre: 4}}, nil},
		{"one twice", []push{{seq: 0}, {seq: 0, inbox: 2, inboxPre: 1}}, []fault{faultRepeated}},
		{"one is lost", []push{{seq: 0}, {seq: 2, inbox: 2, inboxPre: 1, index: 2, pre: 1, n: 2}}, []fault{faultSkipped}},
		{"two change places", []push{
			{seq: 0}, {seq: 2, inbox: 2, inboxPre: 1, index: 2, pre: 1, n: 2}, {seq: 1, inbox: 3, inboxPre: 2},
		}, []fault{faultSkipped, faultRepeated}},
		{"another text", []push{{seq: 0, text: "boo"}}, []fault{faultText}},
		{"pre that names another", []push{{seq: 0}, {seq: 1, index: 5, pre: 4}}, []fault{faultIndex}},
		{"n that jumps", []push{{seq: 0}, {seq: 1, n: 3}}, []fault{faultIndex}},
		{"a hole in the inbox", []push{{seq: 0}, {seq: 1, inbox: 3, inboxPre: 2}}, []fault{faultInbox}},
		{"an inbox that stands still", []push{{seq: 0}, {seq: 1, inbox: 1, inboxPre: 1}}, []fault{faultInbox}},
	} {
		l, _, receiver := quietLoad()
		for _, p := range c.pushes {
			receiver.take(p.frame(l), 0)
		}
		expectFaults(t, c.story, l, c.want)
	}
}

func TestFramesThatNothingWaitsForAreFaults(t *testing.T) {
	key := string(messageKey{}.appendTo(nil))
	stranger := string(messageKey{conv: 9}.appendTo(nil))
	sent := `{"type":"sent","id":"%s","conversation":"%s","key":"%s","index":1,"n":1}`
	for _, c := range []struct {
		story, frame string
		want         fault
	}{
		{"sent for nothing", fmt.Sprintf(sent, key, testConversation, key), faultAnswer},
		{"sent with another id", fmt.Sprintf(sent, "x", testConversation, key), faultAnswer},
		{"sent in another conversation", fmt.Sprintf(sent, key, "other", key), faultAnswer},
		{"sent for an unknown conversation", fmt.Sprintf(sent, stranger, testConversation, stranger), faultAnswer},
		{"overloaded for nothing", `{"type":"error","id":"` + key + `","code":"overloaded"}`, faultAnswer},
		{"error without id", `{"type":"error","code":"invalid"}`, faultAnswer},
		{"no JSON", `hello`, faultFrame},
		{"a type of another day", `{"type":"typing"}`, faultFrame},
		{"a pong that knows more", `{"type":"pong","id":"last","inbox":{"index":3}}`, faultInbox},
		{"own out of the blue", `{"type":"own","inbox":{"index":3,"pre":2}}`, faultInbox},
	} {
		l, sender, _ := quietLoad()
		sender.take([]byte(c.frame), 0)
		expectFaults(t, c.story, l, []fault{c.want})
	}
}

func TestAPongUnderLoadMayKnowMore(t *testing.T) {
	l, sender, _ := quietLoad()
	sender.take([]byte(`{"type":"pong","id":"ping","inbox":{"index":3}}`), 0)
	sender.take([]byte(`{"type":"pong","id":"last","inbox":{"index":0}}`), 0)
	expectFaults(t, "pongs", l, nil)
	if l.pongsAhead.Load() != 1 || l.pongs.Load() != 1 {
		t.Errorf("%d ahead, %d last", l.pongsAhead.Load(), l.pongs.Load())
	}
}

func TestAnAnswerIsTakenOnce(t *testing.T) {
	l, sender, _ := quietLoad()
	c := l.convs[0]
	c.out.offer(0)
	c.out.write()
	sender.unanswered = 1
	key := string(messageKey{}.appendTo(nil))
	frame := fmt.Appendf(nil, `{"type":"sent","id":"%s","conversation":"%s","key":"%s","index":1,"n":1}`, key, testConversation, key)
	sender.take(frame, 5)
	if l.accepted.Load() != 1 || sender.unanswered != 0 {
		t.Errorf("accepted %d, unanswered %d", l.accepted.Load(), sender.unanswered)
	}
	expectFaults(t, "first answer", l, nil)
	sender.take(frame, 6)
	expectFaults(t, "second answer", l, []fault{faultAnswer})
}

func TestARefusalForGoodFailsTheProduct(t *testing.T) {
	l, sender, _ := quietLoad()
	sender.take([]byte(`{"type":"error","id":"`+string(messageKey{}.appendTo(nil))+`","code":"forbidden"}`), 0)
	if exitCode(l.err()) != ExitProduct || l.errors()["forbidden"] != 1 {
		t.Errorf("%v, %v", l.err(), l.errors())
	}
}

func TestOnlyMessagesMeantInTheWindowCount(t *testing.T) {
	l, _, receiver := quietLoad()
	receiver.take(push{seq: 0}.frame(l), 3_000_000)
	l.to.Store(10)
	l.from.Store(0)
	receiver.take(push{seq: 1}.frame(l), 7_000_000)
	if got := l.delivery.count(); got != 1 {
		t.Errorf("%d latencies, want that of the second message alone", got)
	}
	if p := l.delivery.quantile(1); p < 7e6 || p > 7.2e6 {
		t.Errorf("latency %v, want 7 ms since it was meant to be sent", p)
	}
}

// expectFaults wants exactly one of each fault of want.
func expectFaults(t *testing.T, story string, l *load, want []fault) {
	t.Helper()
	var wanted [faults]int64
	for _, f := range want {
		wanted[f] = 1
	}
	for f := range faults {
		if got := l.faults[f].Load(); got != wanted[f] {
			t.Errorf("%s: %s %d times, want %d", story, faultNames[f], got, wanted[f])
		}
	}
	if err := l.broken(); (err != nil) != (len(want) > 0) || err != nil && exitCode(err) != ExitProduct {
		t.Errorf("%s: verdict %v", story, err)
	}
}
