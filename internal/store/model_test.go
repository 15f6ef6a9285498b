package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/conversation"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/kv/memory"
)

// world is a store beside what it must show: plain slices and maps.
type world struct {
	t       *rapid.T
	test    *testing.T
	kv      *memory.Store
	store   *Store
	writer  *Writer
	offset  int64
	unsure  bool // the frozen generation was written, the writer does not know
	chains  map[domain.ConversationID][]chat.Message
	inboxes map[domain.UserID][]user.Item
	rows    map[domain.UserID]map[domain.ConversationID]conversation.Row
}

var (
	modelConvs = []domain.ConversationID{convA, convB}
	modelUsers = []domain.UserID{"ann", "bob"}
)

func (w *world) open() {
	st, err := Open(w.test.Context(), w.kv)
	w.must(err)
	w.store = st
	w.writer = NewWriter(st, WriterOptions{FlushInterval: time.Hour, FlushBytes: 1 << 30, Log: slog.New(slog.DiscardHandler)})
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) conv() domain.ConversationID { return rapid.SampledFrom(modelConvs).Draw(w.t, "conv") }

func (w *world) user() domain.UserID { return rapid.SampledFrom(modelUsers).Draw(w.t, "user") }

// append adds a few entries to a chain, now and then a large one or many.
func (w *world) append() {
	ctx, id := w.test.Context(), w.conv()
	n := rapid.SampledFrom([]int{1, 1, 2, 2, 3, 3, 3, 300}).Draw(w.t, "n")
	size := rapid.SampledFrom([]int{1, 5, 5, 5, 40_000}).Draw(w.t, "size")
	if n > 3 {
		size = 5
	}
	s, err := w.store.Chains.Load(ctx, id)
	w.must(err)
	w.offset++
	if s.Open(modelUsers, domain.Position{Incarnation: 1, Offset: w.offset}) {
		w.store.Chains.Open(s)
	}
	for range n {
		w.offset++
		send := &chat.Send{
			Conversation: id, From: "ann", Key: fmt.Append(nil, "k", w.offset), Kind: chat.Text,
			Body: []byte(fmt.Sprintf("%0*d", size, w.offset)), At: w.offset * 1000, ID: domain.MessageID{1, byte(w.offset)},
		}
		out, err := s.Send(send, domain.Position{Incarnation: 1, Offset: w.offset}, w.store.Chains.Past(ctx, id))
		w.must(err)
		w.store.Chains.Append(s, &out, send.Body)
		w.chains[id] = append(w.chains[id], chat.Message{Entry: out.Entry, Conversation: id, Body: send.Body})
	}
}

// extend gives a user's inbox the next entry of a chain, or a read position.
func (w *world) extend() {
	ctx, id, conv := w.test.Context(), w.user(), w.conv()
	s, err := w.store.Inboxes.Load(ctx, id)
	w.must(err)
	row, err := w.store.Inboxes.Row(ctx, s, conv)
	w.must(err)
	w.offset++
	s.Position = domain.Position{Incarnation: 1, Offset: w.offset}
	var item user.Item
	if rapid.Bool().Draw(w.t, "read") {
		row.MarkRead(row.Read+1, row.Read+1)
	} else {
		item, _ = s.Extend(conv, row.Index+1, row.Index)
		row.Touch(row.Index+1, row.N+1, w.offset, false)
		w.inboxes[id] = append(w.inboxes[id], item)
	}
	w.store.Inboxes.Save(s, conv, row, item)
	if w.rows[id] == nil {
		w.rows[id] = make(map[domain.ConversationID]conversation.Row)
	}
	w.rows[id][conv] = *row
}

// write leaves a generation frozen and written in part.
func (w *world) write() {
	if w.writer.frozen == nil {
		w.writer.frozen = w.writer.freeze()
	}
	g := w.writer.frozen
	if w.unsure {
		return // only the writer knows how to go on
	}
	n := rapid.IntRange(0, len(g.batches)).Draw(w.t, "batches")
	w.must(errors.Join(w.kv.Apply(w.test.Context(), g.batches[:n])...))
	if w.unsure = rapid.Bool().Draw(w.t, "unsure"); !w.unsure { // else they are written again
		g.batches = g.batches[n:]
	}
}

func (w *world) flush() {
	w.must(w.writer.flush(w.test.Context(), false))
	w.unsure = false
}

// check compares one question of each kind with the plain world.
func (w *world) check(*rapid.T) {
	ctx, id, who := w.test.Context(), w.conv(), w.user()
	chain, inbox := w.chains[id], w.inboxes[who]
	limit := rapid.SampledFrom([]int{1, 2, 7, 400}).Draw(w.t, "limit")
	at := rapid.Uint64Range(0, uint64(len(chain))+2).Draw(w.t, "index")

	after, err := w.store.Chains.After(ctx, id, at, limit)
	w.must(err)
	from := min(int(at), len(chain))
	w.same("after", page(chain[from:min(from+limit, len(chain))]), page(after))

	before, err := w.store.Chains.Before(ctx, id, at, limit)
	w.must(err)
	to := min(max(int(at)-1, 0), len(chain))
	w.same("before", page(chain[max(0, to-limit):to]), page(before))

	m, err := w.store.Chains.Message(ctx, id, at)
	if at == 0 || at > uint64(len(chain)) {
		if domain.CodeOf(err) != domain.NotFound {
			w.t.Fatalf("message %d of %d: %v", at, len(chain), err)
		}
	} else {
		w.must(err)
		w.same("message", chain[at-1], m)
	}

	head, err := w.store.Chains.Head(ctx, id)
	w.must(err)
	roster, err := w.store.Chains.Roster(ctx, id)
	w.must(err)
	who2 := roster.Members
	if head.Last != uint64(len(chain)) || head.N != head.Last || (len(who2) == 2) != (len(chain) > 0) {
		w.t.Fatalf("head %+v with members %v of a chain of %d", head, who2, len(chain))
	}
	w.checkInbox(who, id, inbox, limit)
}

func (w *world) checkInbox(who domain.UserID, conv domain.ConversationID, inbox []user.Item, limit int) {
	ctx := w.test.Context()
	kept, err := w.store.Inboxes.Head(ctx, who)
	w.must(err)
	if kept.Last != uint64(len(inbox)) {
		w.t.Fatalf("the inbox ends at %d, want %d", kept.Last, len(inbox))
	}
	at := rapid.IntRange(0, len(inbox)+2).Draw(w.t, "item")
	items, err := w.store.Inboxes.Items(ctx, who, uint64(at), limit)
	w.must(err)
	from := min(at, len(inbox))
	w.same("items", page(inbox[from:min(from+limit, len(inbox))]), page(items))

	rows := make(map[domain.ConversationID]conversation.Row)
	w.must(w.store.Inboxes.Rows(ctx, who, func(id domain.ConversationID, row conversation.Row) {
		if _, twice := rows[id]; twice {
			w.t.Fatalf("row %x came twice", id)
		}
		rows[id] = row
	}))
	w.same("rows", maps.Collect(maps.All(w.rows[who])), rows)
	row, ok, err := w.store.Inboxes.RowOf(ctx, who, conv)
	w.must(err)
	if want, known := w.rows[who][conv]; ok != known || row != want {
		w.t.Fatalf("row: %+v, %v, want %+v", row, ok, want)
	}
}

// same compares two pages or messages; cmp is slow, so it only tells of a difference.
func (w *world) same(what string, want, got any) {
	if reflect.DeepEqual(want, got) {
		return
	}
	if d := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); d != "" {
		w.t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

// page is a page of messages or items, never nil.
func page[T any](all []T) []T { return append([]T{}, all...) }

// At every moment, whatever is pending, frozen, half written or stored, readers
// see all that was appended, once and in order.
func TestReadersSeeOneState(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{
			t: rt, test: t, kv: memory.New(), chains: make(map[domain.ConversationID][]chat.Message),
			inboxes: make(map[domain.UserID][]user.Item), rows: make(map[domain.UserID]map[domain.ConversationID]conversation.Row),
		}
		w.open()
		step := func(fn func()) func(*rapid.T) {
			return func(rt *rapid.T) {
				w.t = rt
				fn()
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": step(w.append), "extend": step(w.extend), "extend more": step(w.extend),
			"write": step(w.write), "flush": step(w.flush),
			"reopen": step(func() { w.flush(); w.flush(); w.open() }),
			"":       func(rt *rapid.T) { w.t = rt; w.check(rt) },
		})
	})
}

// A chain longer than all windows keeps every key, however it is taken up.
func TestLongChainKeepsItsKeys(t *testing.T) {
	s := memory.New()
	st := openOn(t, s)
	const n = chat.Window + 3*chat.PageSize/2
	id := talk(t, st, n, 1)
	probe := func(st *Store, what string) {
		t.Helper()
		c, err := st.Chains.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		past := st.Chains.Past(t.Context(), id)
		for _, i := range []int{0, 1, chat.PageSize - 1, chat.PageSize, chat.Window - 1, chat.Window, chat.Window + 1, n - 1} {
			e, found, err := c.Find("ann", fmt.Append(nil, i), past)
			if err != nil || !found || e.Index != uint64(i+1) {
				t.Errorf("%s: key %d is %+v, %v, %v", what, i, e, found, err)
			}
		}
		if _, found, err := c.Find("ann", fmt.Append(nil, n), past); found || err != nil {
			t.Errorf("%s: a key never sent: %v, %v", what, found, err)
		}
	}
	probe(st, "pending")
	writeAll(t, st)
	probe(st, "written")
	probe(openOn(t, s), "taken up again")
	newest, err := openOn(t, s).Chains.Before(t.Context(), id, 1<<63, 600)
	if err != nil || len(newest) != 600 || newest[599].Index != n || !slices.IsSortedFunc(newest, byIndex) {
		t.Errorf("the newest page: %d messages, %v", len(newest), err)
	}
}
