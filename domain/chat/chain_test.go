package chat

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/domain"
)

// memory is a past that keeps everything.
type memory struct {
	entries map[uint64]Entry
	aged    map[uint32][]uint64
	err     error
}

func (m *memory) Entry(index uint64) (Entry, error) { return m.entries[index], m.err }

func (m *memory) Aged(mark uint32) ([]uint64, error) { return m.aged[mark], m.err }

func (m *memory) keep(out Outcome) {
	m.entries[out.Entry.Index] = out.Entry
	if out.Entry.Index > Window {
		m.aged[out.Fingerprint] = append(m.aged[out.Fingerprint], out.Entry.Index)
	}
}

func newMemory() *memory {
	return &memory{entries: make(map[uint64]Entry), aged: make(map[uint32][]uint64)}
}

func at(offset int64) domain.Position { return domain.Position{Incarnation: 1, Offset: offset} }

func text(from domain.UserID, key, after, body string) *Send {
	return &Send{From: from, Key: []byte(key), After: []byte(after), Kind: Text, Body: []byte(body), At: 5_000_000}
}

// What becomes of a send, after ann has sent k1 "one" and k2 "two".
func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name     string
		send     *Send
		result   Result
		code     domain.Code
		index    uint64
		stranger bool // the conversation was never opened
	}{
		{name: "new", send: text("ann", "k3", "", "three"), result: Appended, index: 3},
		{name: "new, after the newest", send: text("ann", "k3", "k2", "three"), result: Appended, index: 3},
		{name: "new, after an older one", send: text("ann", "k3", "k1", "three"), result: Appended, index: 3},
		{name: "repeated", send: text("ann", "k1", "", "one"), result: Repeated, index: 1},
		{name: "repeated, whatever it names", send: text("ann", "k2", "nothing", "two"), result: Repeated, index: 2},
		{name: "other content", send: text("ann", "k1", "", "two"), result: Refused, code: domain.Conflict},
		{name: "the same key of another", send: text("bob", "k1", "", "two"), result: Appended, index: 3},
		{name: "after unknown", send: text("ann", "k3", "k9", "three"), result: Refused, code: domain.PredecessorMissing},
		{name: "after itself", send: text("ann", "k3", "k3", "three"), result: Refused, code: domain.PredecessorMissing},
		{name: "after the message of another", send: text("bob", "b1", "k1", "hi"), result: Refused, code: domain.PredecessorMissing},
		{name: "no member", send: text("eve", "k1", "", "one"), result: Refused, code: domain.Forbidden},
		{name: "nobody", send: text("", "", "", ""), result: Refused, code: domain.Forbidden},
		{name: "no conversation", send: text("ann", "k1", "", "one"), result: Refused, code: domain.NotFound, stranger: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain, past := NewChain(Seed{1}, Head{}, nil), newMemory()
			if !c.stranger {
				chain.Open([]domain.UserID{"bob", "ann"}, at(0))
				for i, s := range []*Send{text("ann", "k1", "", "one"), text("ann", "k2", "k1", "two")} {
					out, err := chain.Send(s, at(int64(i+1)), past)
					if err != nil || out.Result != Appended {
						t.Fatal(out, err)
					}
					past.keep(out)
				}
			}
			before := chain.Head
			out, err := chain.Send(c.send, at(9), past)
			if err != nil {
				t.Fatal(err)
			}
			if out.Result != c.result || out.Entry.Index != c.index {
				t.Errorf("got %+v", out)
			}
			if c.result == Refused && out.Refusal.Code != c.code {
				t.Errorf("refused with %q, want %q", out.Refusal.Code, c.code)
			}
			if c.result == Appended {
				if chain.Head.Position != at(9) || chain.Head.N != 3 || out.Entry.Pre != 2 || out.Entry.N != 3 {
					t.Errorf("appended %+v, head %+v", out.Entry, chain.Head)
				}
			} else if d := cmp.Diff(before, chain.Head); d != "" {
				t.Errorf("the head changed: %s", d)
			}
		})
	}
}

// A past that cannot be read changes nothing: the same call works later.
func TestUnreadablePast(t *testing.T) {
	chain, past := NewChain(Seed{}, Head{}, nil), newMemory()
	chain.Open([]domain.UserID{"ann"}, at(0))
	out, err := chain.Send(text("ann", "k", "", "one"), at(1), past)
	if err != nil {
		t.Fatal(err)
	}
	past.keep(out)
	before := chain.Head
	past.err = errors.New("the disk is away")
	if _, err := chain.Send(text("ann", "k", "", "one"), at(2), past); !errors.Is(err, past.err) {
		t.Errorf("got %v", err)
	}
	if _, err := chain.Send(text("ann", "k2", "k", "two"), at(2), past); !errors.Is(err, past.err) {
		t.Errorf("got %v", err)
	}
	if d := cmp.Diff(before, chain.Head); d != "" {
		t.Errorf("the head changed: %s", d)
	}
	past.err = nil
	if again, err := chain.Send(text("ann", "k", "", "one"), at(2), past); err != nil || again.Result != Repeated {
		t.Errorf("got %+v, %v", again, err)
	}
}

func TestOpenOnce(t *testing.T) {
	chain := NewChain(Seed{}, Head{}, nil)
	if !chain.Open([]domain.UserID{"eve", "ann", "eve"}, at(3)) {
		t.Error("the first time changed nothing")
	}
	want := Head{Position: at(3), Form: Direct, Members: []Member{{ID: "ann"}, {ID: "eve"}}}
	if chain.Open([]domain.UserID{"joe"}, at(4)) {
		t.Error("the second time changed something")
	}
	if d := cmp.Diff(want, chain.Head); d != "" {
		t.Error(d)
	}
}

// A clock that steps back does not turn the time of a chain back, and a void
// takes an index but is not counted.
func TestTimeAndVoids(t *testing.T) {
	chain, past := NewChain(Seed{}, Head{}, nil), newMemory()
	chain.Open([]domain.UserID{"ann"}, at(0))
	send := func(key string, micros int64) Entry {
		t.Helper()
		s := text("ann", key, "", "x")
		s.At = micros
		out, err := chain.Send(s, at(1), past)
		if err != nil {
			t.Fatal(err)
		}
		past.keep(out)
		return out.Entry
	}
	if e := send("a", 7_000_999); e.At != 7_000 {
		t.Errorf("at %d ms, want 7000", e.At)
	}
	if e := send("b", 3_000_000); e.At != 7_000 {
		t.Errorf("after a step back: at %d ms, want 7000", e.At)
	}
	out := chain.Park(0, at(5))
	if e := out.Entry; e.Index != 3 || e.Pre != 2 || e.N != 2 || e.Kind != Void || e.At != 7_000 {
		t.Errorf("void: %+v", e)
	}
	if e := send("c", 8_000_000); e.Index != 4 || e.N != 3 {
		t.Errorf("after the void: %+v", e)
	}
}

// Every key of a chain longer than the window is known, to a chain that lived
// through it and to one taken up from what it left behind.
func TestLongChains(t *testing.T) {
	chain, past := NewChain(Seed{3}, Head{}, nil), newMemory()
	chain.Open([]domain.UserID{"ann"}, at(0))
	const n = Window + 2*PageSize + 7
	var pages [][]uint32
	for i := uint64(1); i <= n; i++ {
		out, err := chain.Send(text("ann", fmt.Sprint("k", i), "", "x"), at(int64(i)), past)
		if err != nil || out.Result != Appended || out.Entry.Index != i {
			t.Fatal(i, out, err)
		}
		past.keep(out)
		if out.Sealed != nil {
			pages = append(pages, out.Sealed)
		}
	}
	if len(pages) != Window/PageSize || len(chain.Head.Tail) != 0 {
		t.Fatalf("%d pages and a tail of %d", len(pages), len(chain.Head.Tail))
	}
	for _, c := range []*Chain{chain, NewChain(Seed{3}, chain.Head, pages)} {
		for i := uint64(1); i <= n; i += 97 {
			out, err := c.Send(text("ann", fmt.Sprint("k", i), "", "x"), at(n+1), past)
			if err != nil || out.Result != Repeated || out.Entry.Index != i {
				t.Fatalf("k%d again: %+v, %v", i, out, err)
			}
		}
		if _, found, err := c.Find("ann", []byte("k0"), past); found || err != nil {
			t.Errorf("k0 was never sent: %v, %v", found, err)
		}
	}
}

// A chain taken up in the middle of a page, at any length, decides as the one
// that lived through it.
func TestTakenUpAnywhere(t *testing.T) {
	chain, past := NewChain(Seed{4}, Head{}, nil), newMemory()
	chain.Open([]domain.UserID{"ann"}, at(0))
	var pages [][]uint32
	for i := 1; i <= 2*PageSize+3; i++ {
		out, _ := chain.Send(text("ann", fmt.Sprint("k", i), "", "x"), at(int64(i)), past)
		past.keep(out)
		if out.Sealed != nil {
			pages = append(pages, out.Sealed)
		}
		if d := i % PageSize; d > 2 && d < PageSize-2 {
			continue
		}
		taken := NewChain(Seed{4}, chain.Head, append([][]uint32(nil), pages...))
		for _, k := range []int{1, i, i - 1, max(1, i-PageSize)} {
			e, found, err := taken.Find("ann", []byte(fmt.Sprint("k", k)), past)
			if err != nil || found != (k > 0) || e.Index != uint64(k) {
				t.Fatalf("after %d: k%d is %+v, %v, %v", i, k, e, found, err)
			}
		}
	}
}

func TestHashTellsKindsApart(t *testing.T) {
	if Hash(Text, []byte("x")) == Hash(Void, []byte("x")) || Hash(Text, []byte("x")) == Hash(Text, []byte("y")) {
		t.Error("two messages have one hash")
	}
}

func TestCheckText(t *testing.T) {
	for _, c := range []struct {
		text string
		code domain.Code
	}{
		{"", domain.Invalid}, {"hi", ""}, {"12345678", ""}, {"123456789", domain.TooLarge},
		{"h\xffi", domain.Invalid}, {"\xe2\x82", domain.Invalid}, {"€€", ""}, {"\x00", ""},
	} {
		got := domain.Code("")
		if err := CheckText([]byte(c.text), 8); err != nil {
			got = err.Code
		}
		if got != c.code {
			t.Errorf("%q: %q, want %q", c.text, got, c.code)
		}
	}
}
