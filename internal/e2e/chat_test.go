package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

func texts(t *testing.T, shown []wire.Shown) (all []string) {
	t.Helper()
	for i := range shown {
		text, ok := shown[i].Text()
		if !ok {
			t.Fatalf("no text: %+v", shown[i])
		}
		all = append(all, text)
	}
	return all
}

func TestTwoPeopleChat(t *testing.T) {
	s := serve(t)
	alice, bob := s.enter("alice"), s.enter("bob")
	id := alice.open("bob")
	text := "hi \"bob\" \\ \n\t\x01 <&> 😀 \u2028"
	sent := alice.send(id, "a1", text)
	if sent.Index != 1 || sent.N != 1 || sent.Key != "a1" || sent.Conversation != id || sent.At == 0 {
		t.Errorf("sent %+v", sent)
	}
	msg := bob.push()
	if got, ok := msg.Text(); !ok || got != text {
		t.Errorf("bob got %q", got)
	}
	want := wire.Shown{
		Inbox: wire.Place{Index: 1}, Conversation: id, Index: 1, N: 1, Message: sent.Message,
		From: "alice", Key: "a1", At: sent.At, Content: msg.Content,
	}
	if diff := cmp.Diff(want, msg.Shown); diff != "" || msg.Type != "msg" {
		t.Errorf("bob got a %s: %s", msg.Type, diff)
	}
	bob.send(id, "b1", "hello")
	if msg := alice.push(); msg.Type != "own" || msg.Inbox.Index != 1 || msg.Index != 1 || msg.Conversation != id {
		t.Errorf("alice's own place: %+v", msg)
	}
	if msg := alice.push(); msg.From != "bob" || msg.Index != 2 || msg.Pre != 1 || msg.Inbox != (wire.Place{Index: 2, Pre: 1}) {
		t.Errorf("alice got %+v", msg)
	}
	got := texts(t, bob.before(id, 0, 0).Messages)
	if diff := cmp.Diff([]string{text, "hello"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAConversationIsOneWhoeverOpensIt(t *testing.T) {
	s := serve(t)
	alice, bob := s.enter("alice"), s.enter("bob")
	alice.write(wire.AppendOpen(nil, "x", "bob")) // both at the same time
	bob.write(wire.AppendOpen(nil, "x", "alice"))
	a, b := alice.answer("x", "opened").Conversation, bob.answer("x", "opened").Conversation
	if a != b || a == "" {
		t.Fatalf("alice opened %s, bob %s", a, b)
	}
	alice.send(a, "k", "first")
	if again := bob.open("alice"); again != a {
		t.Errorf("opened again as %s", again)
	}
	if page := bob.before(a, 0, 0); len(page.Messages) != 1 {
		t.Errorf("opening again changed the chain: %+v", page)
	}
	alice.refused(`{"type":"open","id":"o1","with":"alice"}`, "o1", wire.CodeInvalid)
	alice.refused(`{"type":"open","id":"o2","with":"nobody-of-that-name"}`, "o2", wire.CodeNotFound)
}

func TestHistoryIsPagedBothWays(t *testing.T) {
	s := serve(t)
	alice := s.enter("alice")
	s.enter("bob")
	id := alice.open("bob")
	if page := alice.before(id, 0, 0); len(page.Messages) != 0 || page.More {
		t.Errorf("an empty conversation has %+v", page)
	}
	const n = 25
	for i := 1; i <= n; i++ {
		alice.send(id, fmt.Sprint("k", i), fmt.Sprint(i))
	}
	type page struct {
		First, Last uint64
		More        bool
	}
	of := func(r *wire.Received) page {
		if len(r.Messages) == 0 {
			return page{More: r.More}
		}
		for i, m := range r.Messages {
			if m.Index != r.Messages[0].Index+uint64(i) || m.Pre != m.Index-1 || m.N != m.Index || m.Key != fmt.Sprint("k", m.Index) {
				t.Errorf("entry %d of the page is %+v", i, m)
			}
		}
		return page{r.Messages[0].Index, r.Messages[len(r.Messages)-1].Index, r.More}
	}
	for name, c := range map[string]struct{ got, want page }{
		"newest":             {of(alice.before(id, 0, 10)), page{16, 25, true}},
		"all, exactly":       {of(alice.before(id, 0, 25)), page{1, 25, false}},
		"all but one":        {of(alice.before(id, 0, 24)), page{2, 25, true}},
		"middle":             {of(alice.before(id, 16, 10)), page{6, 15, true}},
		"start, exactly":     {of(alice.before(id, 6, 5)), page{1, 5, false}},
		"before the first":   {of(alice.before(id, 1, 5)), page{}},
		"before the future":  {of(alice.before(id, 1000, 3)), page{23, 25, true}},
		"after nothing":      {of(alice.after(id, 0, 10)), page{1, 10, true}},
		"after, middle":      {of(alice.after(id, 10, 10)), page{11, 20, true}},
		"after, to the end":  {of(alice.after(id, 20, 5)), page{21, 25, false}},
		"after the newest":   {of(alice.after(id, 25, 5)), page{}},
		"after the future":   {of(alice.after(id, 1<<53-1, 5)), page{}},
		"largest index back": {of(alice.before(id, 1<<53-1, 1)), page{25, 25, true}},
		"largest limit":      {of(alice.after(id, 0, 200)), page{1, 25, false}},
	} {
		if c.got != c.want {
			t.Errorf("%s: %+v, not %+v", name, c.got, c.want)
		}
	}
}

func TestLongMessagesComeInShorterPagesButAllCome(t *testing.T) {
	s := serve(t)
	alice, bob := s.enter("alice"), s.enter("bob")
	id := alice.open("bob")
	const n = 50
	long := strings.Repeat("x", 8190) // 50 of them are more than a page holds
	for i := range n {
		alice.send(id, fmt.Sprint("k", i), fmt.Sprintf("%02d%s", i, long))
	}
	var forth, back, pulled []uint64
	for from, more := uint64(0), true; more; {
		page := alice.after(id, from, 200)
		for _, m := range page.Messages {
			forth, from = append(forth, m.Index), m.Index
		}
		more = page.More
		if more && len(page.Messages) == 0 {
			t.Fatal("an empty page says that there is more")
		}
	}
	for from, more := uint64(0), true; more; {
		page := alice.before(id, from, 200)
		for _, m := range slices.Backward(page.Messages) {
			back, from = append(back, m.Index), m.Index
		}
		more = page.More
	}
	for from := uint64(0); ; {
		page := bob.inbox(from, 500)
		if len(page.Entries) == 0 {
			break
		}
		for _, e := range page.Entries {
			if e.Inbox.Pre != from {
				t.Fatalf("a gap in the inbox: %d after %d", e.Inbox.Pre, from)
			}
			pulled, from = append(pulled, e.Index), e.Inbox.Index
		}
	}
	slices.Reverse(back)
	if len(forth) != n || !slices.Equal(forth, back) || !slices.Equal(forth, pulled) {
		t.Errorf("forth %v\nback %v\npulled %v", forth, back, pulled)
	}
}

func TestAMissedInboxIsPulled(t *testing.T) {
	s := serve(t)
	alice := s.enter("alice")
	s.enter("bob")
	s.enter("carol")
	with := map[string]string{alice.open("bob"): "bob", alice.open("carol"): "carol"}
	n := uint64(0)
	for range 5 {
		for id := range with {
			n++
			alice.send(id, fmt.Sprint("k", n), fmt.Sprint(n))
		}
	}
	alice.reach(n)
	late := s.dial()
	if w := late.hello(s.token("alice"), "another"); w.Inbox.Index != n || w.User != "alice" || w.Epoch == "" {
		t.Errorf("welcome %+v", w)
	}
	var got []string
	for _, limit := range []int{3, 500} {
		page := late.inbox(uint64(len(got)), limit)
		if page.Newest != n {
			t.Errorf("newest is %d", page.Newest)
		}
		got = append(got, texts(t, page.Entries)...)
	}
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint(i+1))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if page := late.inbox(n, 0); len(page.Entries) != 0 || page.Newest != n {
		t.Errorf("after the end: %+v", page)
	}
}
