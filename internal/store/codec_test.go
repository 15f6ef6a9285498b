package store

import (
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/conversation"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/kv"
)

var golden = flag.Bool("golden", false, "write golden files that do not exist yet; those that do are never changed")

var (
	convA   = domain.DirectID("ann", "bob")
	convB   = domain.DirectID("ann", "eve")
	members = []chat.Member{{ID: "ann"}, {ID: "bob", Role: chat.Owner, Since: 300}}

	exampleHead = chat.Head{
		Position: domain.Position{Incarnation: 2, Offset: 12345}, Last: 300, N: 299, At: 1790000000123,
		Form: chat.Direct, Members: members, Tail: []uint32{1, 0xdeadbeef, 0},
	}
	exampleInbox = user.Inbox{Position: domain.Position{Incarnation: 1, Offset: 99}, Last: 1 << 33, Rev: 77, Large: []domain.ConversationID{convA, convB}}
	exampleItems = []user.Item{
		{Index: 41, Pre: 40, Conversation: convA, Entry: 7}, {Index: 42, Pre: 41, Conversation: convB, Entry: 1},
		{Index: 43, Pre: 42, Conversation: convA, Entry: 8}, {Index: 44, Pre: 43, Conversation: convA, Entry: 300},
	}
	exampleRow    = conversation.Row{With: "bob", Index: 300, N: 299, At: 1790000000123, OwnN: 7, Read: 250, ReadN: 249, JoinN: 3, Rev: 9}
	exampleGroup  = conversation.Row{Group: true, Title: "Returns", Left: true, Large: true, Index: 5, N: 4}
	exampleChange = chat.Change{
		Index: 7, Position: domain.Position{Incarnation: 2, Offset: 12345}, Before: chat.Write, After: chat.Read,
		Joined: members, Left: []chat.Member{{ID: "eve", Since: 2}},
	}
	exampleMembers = chat.Head{Title: "Returns", Made: 99, Diffusion: chat.Read, Members: members}
	exampleVerdict = Verdict{By: domain.MessageID{1, 15: 2}, Done: true, Index: 300, Code: domain.Conflict, Message: "why"}
	exampleRun     = []chat.Message{
		{Entry: chat.Entry{Index: 9, Pre: 8, N: 8, ID: domain.MessageID{1, 2, 3}, From: "ann", Key: []byte("k9"), Kind: chat.Text,
			At: 1790000000123, Hash: 0x0102030405060708}, Body: []byte("nine")},
		{Entry: chat.Entry{Index: 10, Pre: 9, N: 8, Kind: chat.Void, At: 1790000000123}, Body: []byte(`{"type":"void"}`)},
	}
)

// exampleLine is a line of the index of dead letters.
func exampleLine() []kv.Op {
	place := domain.Place{Partition: 3, Position: domain.Position{Incarnation: 2, Offset: 12345}}
	p := pendingChain{state: &ChainState{ID: convA}, dead: []deadLetter{{place: place, index: 300}}}
	return p.indexed(nil)
}

func exampleRunValues() *run {
	r := newRun(9)
	for i := range exampleRun {
		r.add(&exampleRun[i].Entry, exampleRun[i].Body)
	}
	return r
}

func messages(metas, bodies []byte) (all []chat.Message, err error) {
	err = decodeRun(metas, bodies, members, func(m chat.Message) bool {
		all = append(all, m)
		return true
	})
	return all, err
}

// Stores written by this version are read by every later one.
func TestGolden(t *testing.T) {
	r := exampleRunValues()
	for name, x := range map[string]struct {
		value  []byte
		want   any
		decode func(value []byte) (any, error)
	}{
		"head":      {encodeHead(&exampleHead), exampleHead, func(v []byte) (any, error) { return decodeHead(v) }},
		"inbox":     {encodeInbox(&exampleInbox), exampleInbox, func(v []byte) (any, error) { return decodeInbox(v) }},
		"row_group": {encodeRow(&exampleGroup), exampleGroup, func(v []byte) (any, error) { return decodeRow(v) }},
		"change":    {encodeChange(&exampleChange), exampleChange, func(v []byte) (any, error) { return decodeChange(7, v) }},
		"members":   {encodeMembers(&exampleMembers), exampleMembers, func(v []byte) (any, error) { return decodeMembers(v) }},
		"items":     {encodeItems(exampleItems), exampleItems, func(v []byte) (any, error) { return decodeItems(41, v) }},
		"verdict":   {encodeVerdict(&exampleVerdict), exampleVerdict, func(v []byte) (any, error) { return decodeVerdict(v) }},
		"dead_line": {exampleLine()[0].Value, convA, func(v []byte) (any, error) { return readLine(v) }},
		"row":       {encodeRow(&exampleRow), exampleRow, func(v []byte) (any, error) { return decodeRow(v) }},
		"metas":     {r.metas, exampleRun, func(v []byte) (any, error) { return messages(v, r.bodies) }},
		"bodies":    {r.bodies, exampleRun, func(v []byte) (any, error) { return messages(r.metas, v) }},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", name+".golden")
			if _, err := os.Stat(file); *golden && errors.Is(err, os.ErrNotExist) {
				if err := os.WriteFile(file, []byte(hex.EncodeToString(x.value)+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(file) //nolint:gosec // a name of ours
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(x.value); got != strings.TrimSpace(string(text)) {
				t.Errorf("encoded\n%s, golden\n%s", got, text)
			}
			value, err := hex.DecodeString(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := x.decode(value)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(x.want, got, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
			for n := range value {
				if got, err := x.decode(value[:n]); err == nil && cmp.Equal(x.want, got, cmpopts.EquateEmpty()) {
					t.Errorf("%d of %d bytes are the same", n, len(value))
				}
			}
			value[0] = layout + 1
			if _, err := x.decode(value); err == nil {
				t.Error("an unknown layout is taken")
			}
		})
	}
}

// again checks that what was decoded is decoded the same once more.
func again[T any](t *testing.T, x T, encoded []byte, decode func([]byte) (T, error)) {
	t.Helper()
	got, err := decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(x, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatal(d)
	}
}

func FuzzDecodeHead(f *testing.F) {
	f.Add(encodeHead(&exampleHead))
	f.Add(encodeHead(&chat.Head{}))
	f.Fuzz(func(t *testing.T, value []byte) {
		if h, err := decodeHead(value); err == nil {
			if len(h.Members)+4*len(h.Tail) > len(value) {
				t.Fatal("more than its input")
			}
			again(t, h, encodeHead(&h), decodeHead)
		}
	})
}

// decodeMembers reads what encodeMembers keeps of a head.
func decodeMembers(value []byte) (h chat.Head, err error) {
	r, err := openMembers(value, &h)
	if err != nil {
		return h, err
	}
	h.Members = readMembers(&r)
	return h, r.Done()
}

func FuzzDecodeMembers(f *testing.F) {
	f.Add(encodeMembers(&exampleMembers))
	f.Fuzz(func(t *testing.T, value []byte) {
		if h, err := decodeMembers(value); err == nil {
			again(t, h, encodeMembers(&h), decodeMembers)
		}
	})
}

func FuzzDecodeChange(f *testing.F) {
	f.Add(encodeChange(&exampleChange))
	f.Fuzz(func(t *testing.T, value []byte) {
		decode := func(v []byte) (chat.Change, error) { return decodeChange(7, v) }
		if ch, err := decode(value); err == nil {
			again(t, ch, encodeChange(&ch), decode)
		}
	})
}

func FuzzDecodeInbox(f *testing.F) {
	f.Add(encodeInbox(&exampleInbox))
	f.Fuzz(func(t *testing.T, value []byte) {
		if b, err := decodeInbox(value); err == nil {
			again(t, b, encodeInbox(&b), decodeInbox)
		}
	})
}

func FuzzDecodeItems(f *testing.F) {
	f.Add(encodeItems(exampleItems))
	f.Fuzz(func(t *testing.T, value []byte) {
		decode := func(v []byte) ([]user.Item, error) { return decodeItems(41, v) }
		if items, err := decode(value); err == nil {
			if 2*len(items) > len(value) {
				t.Fatal("more than its input")
			}
			again(t, items, encodeItems(items), decode)
		}
	})
}

func FuzzDecodeRow(f *testing.F) {
	f.Add(encodeRow(&exampleRow))
	f.Fuzz(func(t *testing.T, value []byte) {
		if row, err := decodeRow(value); err == nil {
			again(t, row, encodeRow(&row), decodeRow)
		}
	})
}

func FuzzDecodeRun(f *testing.F) {
	r := exampleRunValues()
	f.Add(r.metas, r.bodies)
	f.Fuzz(func(t *testing.T, metas, bodies []byte) {
		if bodies == nil {
			bodies = []byte{}
		}
		all, err := messages(metas, bodies)
		if err != nil {
			return
		}
		if 30*len(all) > len(metas) {
			t.Fatalf("%d entries out of %d bytes", len(all), len(metas))
		}
		copied := newRun(0)
		for i := range all {
			copied.add(&all[i].Entry, all[i].Body)
		}
		got, err := messages(copied.metas, copied.bodies)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(all, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}
