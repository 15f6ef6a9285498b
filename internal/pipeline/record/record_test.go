package record

import (
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/enc"
)

var golden = flag.Bool("golden", false, "write golden files that do not exist yet; those that do are never changed")

var (
	conv   = domain.DirectID("ann", "bob")
	origin = domain.Origin{Node: 7, Conn: 1 << 40, Request: []byte("r-1")}
)

// examples are records of every kind, by the name of their golden file.
var examples = map[string]struct {
	single *Single
	mixed  *Mixed
}{
	"open": {single: &Single{Kind: Open, Origin: origin, Send: chat.Send{Conversation: conv, From: "ann", At: 1790000000123456},
		Members: []domain.UserID{"ann", "bob"}}},
	"send": {single: &Single{Kind: Send, Origin: origin, Send: chat.Send{
		Conversation: conv, From: "ann", Key: []byte("k2"), After: []byte("k1"), ID: domain.MessageID{0: 1, 15: 16},
		Kind: chat.Text, Body: []byte(`{"type":"text","text":"hé"}`), At: 1790000000123456}}},
	"extend": {mixed: &Mixed{Kind: Extend, Origin: domain.Origin{Node: 7, Conn: 3}, At: 1790000000123456, Conversation: conv,
		Index: 300, N: 299, Stamp: 1790000000123, User: "ann", Concerned: []Concerned{{User: "ann"}, {User: "bob"}}}},
	"void": {mixed: &Mixed{Kind: Extend, Conversation: conv, Index: 4, N: 3, Stamp: 1790000000123, Concerned: []Concerned{{User: "ann"}, {User: "bob"}}}},
	"join": {mixed: &Mixed{Kind: Extend, Conversation: conv, Index: 4, N: 3, Stamp: 1790000000123, Group: true, Large: true, Title: "Returns",
		Concerned: []Concerned{{"ann", Stays}, {"bob", Joins}, {"eve", Goes}}}},
	"follow": {mixed: &Mixed{Kind: Follow, Origin: domain.Origin{Node: 7, Conn: 3}, At: 1790000000123456, Conversation: conv,
		Index: 300, N: 299, Stamp: 1790000000123, User: "ann"}},
	"create": {single: &Single{Kind: Create, Origin: origin, Send: chat.Send{Conversation: conv, From: "ann", ID: domain.MessageID{0: 1, 15: 16}, At: 1790000000123456},
		Title: "Returns", Members: []domain.UserID{"bob"}, Limits: chat.Limits{Members: 10_000, Large: 1000}}},
	"change": {single: &Single{Kind: Change, Origin: origin, Send: chat.Send{Conversation: conv, From: "ann", ID: domain.MessageID{0: 1, 15: 16}, At: 1790000000123456},
		Members: []domain.UserID{"bob"}, Removed: []domain.UserID{"eve", "joe"}, Limits: chat.Limits{Members: 10_000, Large: 1000}}},
	"replay": {single: &Single{Kind: Replay, Origin: origin, Send: chat.Send{Conversation: conv, ID: domain.MessageID{0: 1, 15: 16}, At: 1790000000123456},
		Letter: domain.Place{Partition: 3, Position: domain.Position{Incarnation: 2, Offset: 1 << 40}}}},
	"read": {mixed: &Mixed{Kind: Read, Origin: origin, At: 1790000000123456, Conversation: conv, Index: 300, N: 299, User: "bob"}},
}

func encode(name string) []byte {
	x := examples[name]
	if x.mixed != nil {
		return AppendMixed(nil, x.mixed)
	}
	return encodeSingle(x.single)
}

func encodeSingle(s *Single) []byte {
	switch s.Kind {
	case Open:
		return AppendOpen(nil, s.Origin, s.Send.From, s.Send.At, s.Members)
	case Create:
		return AppendCreate(nil, s.Origin, &chat.Creation{
			From: s.Send.From, ID: s.Send.ID, Title: s.Title, Members: s.Members, At: s.Send.At, Limits: s.Limits,
		})
	case Change:
		return AppendChange(nil, s.Origin, &chat.Changing{
			From: s.Send.From, ID: s.Send.ID, Add: s.Members, Remove: s.Removed, At: s.Send.At, Limits: s.Limits,
		})
	case Replay:
		return AppendReplay(nil, s.Origin, s.Send.At, s.Send.ID, s.Letter)
	}
	return AppendSend(nil, s.Origin, &s.Send)
}

// Logs written by this version are read by every later one.
func TestGolden(t *testing.T) {
	for name, x := range examples {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", name+".golden")
			if _, err := os.Stat(file); *golden && errors.Is(err, os.ErrNotExist) {
				if err := os.WriteFile(file, []byte(hex.EncodeToString(encode(name))+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(file) //nolint:gosec // a name of ours
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(encode(name)); got != strings.TrimSpace(string(text)) {
				t.Errorf("encoded\n%s, golden\n%s", got, text)
			}
			value, err := hex.DecodeString(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			if x.single != nil {
				var got Single
				if err := DecodeSingle(conv[:], value, &got); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(x.single, &got); d != "" {
					t.Error(d)
				}
				return
			}
			var got Mixed
			if err := DecodeMixed(value, &got); err != nil {
				t.Fatal(err)
			}
			if x.mixed.Origin.Request == nil {
				x.mixed.Origin.Request = []byte{}
			}
			if d := cmp.Diff(x.mixed, &got); d != "" {
				t.Error(d)
			}
		})
	}
}

// Every prefix of a record but the whole is refused, unless what follows is a
// body, which may be of any length.
func TestCutOff(t *testing.T) {
	for name, x := range examples {
		value := encode(name)
		if x.single != nil && x.single.Kind == Send {
			value = value[:len(value)-len(x.single.Send.Body)]
		}
		for n := range value {
			var s Single
			var m Mixed
			if x.single != nil && DecodeSingle(conv[:], value[:n], &s) == nil {
				t.Errorf("%s: %d of %d bytes are taken", name, n, len(value))
			}
			if x.mixed != nil && DecodeMixed(value[:n], &m) == nil {
				t.Errorf("%s: %d of %d bytes are taken", name, n, len(value))
			}
		}
	}
}

func TestUnknown(t *testing.T) {
	var s Single
	var m Mixed
	for _, value := range [][]byte{{2, byte(Send), 0, 0, 0, 0}, {1, 77, 0, 0, 0, 0, 0}, {1, byte(Extend), 0, 0, 0, 0, 0}} {
		if err := DecodeSingle(conv[:], value, &s); !errors.Is(err, ErrUnknown) {
			t.Errorf("single %v: %v", value, err)
		}
	}
	for _, value := range [][]byte{{2, byte(Read), 0, 0, 0, 0}, {1, 77, 0, 0, 0, 0}, {1, byte(Send), 0, 0, 0, 0}} {
		if err := DecodeMixed(value, &m); !errors.Is(err, ErrUnknown) {
			t.Errorf("mixed %v: %v", value, err)
		}
	}
	if err := DecodeSingle([]byte("short"), encode("send"), &s); !errors.Is(err, enc.ErrMalformed) {
		t.Errorf("a key that is no conversation: %v", err)
	}
}

func FuzzDecodeSingle(f *testing.F) {
	f.Add(conv[:], encode("open"))
	f.Add(conv[:], encode("send"))
	f.Add(conv[:], encode("create"))
	f.Add(conv[:], encode("change"))
	f.Add(conv[:], encode("replay"))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		var s, again Single
		if DecodeSingle(key, value, &s) != nil {
			return
		}
		if n := len(s.Members) + len(s.Removed); n > len(value) {
			t.Fatalf("%d members out of %d bytes", n, len(value))
		}
		b := encodeSingle(&s)
		if err := DecodeSingle(s.Send.Conversation[:], b, &again); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(s, again); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzDecodeMixed(f *testing.F) {
	f.Add(encode("extend"))
	f.Add(encode("void"))
	f.Add(encode("read"))
	f.Add(encode("join"))
	f.Add(encode("follow"))
	f.Fuzz(func(t *testing.T, value []byte) {
		var m, again Mixed
		if DecodeMixed(value, &m) != nil {
			return
		}
		if n := len(m.Concerned); n > len(value) {
			t.Fatalf("%d users out of %d bytes", n, len(value))
		}
		if err := DecodeMixed(AppendMixed(nil, &m), &again); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, again); d != "" {
			t.Fatal(d)
		}
	})
}
