package usecase_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/conversation"
	"github.com/merchantim/merchantim/domain/user"
	hotmemory "github.com/merchantim/merchantim/internal/hot/memory"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/memory"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/usecase"
)

const agent = domain.UserID("agent")

// counted counts the look-ups and the scans of a store.
type counted struct {
	kv.Store
	gets, scans atomic.Int64
}

func (c *counted) Get(ctx context.Context, partition, key []byte) ([]byte, error) {
	c.gets.Add(1)
	return c.Store.Get(ctx, partition, key)
}

func (c *counted) Scan(ctx context.Context, partition []byte, r kv.Range, fn func(key, value []byte) error) error {
	c.scans.Add(1)
	return c.Store.Scan(ctx, partition, r, fn)
}

// desk is the inbox of an agent with many conversations.
type desk struct {
	t     testing.TB
	kv    *counted
	store *store.Store
	inbox *store.InboxState
	svc   *usecase.Service
	want  map[domain.ConversationID]conversation.Row
	ids   []domain.ConversationID
}

func newDesk(t testing.TB, engine kv.Store, n int) *desk {
	t.Helper()
	d := &desk{t: t, kv: &counted{Store: engine}, want: make(map[domain.ConversationID]conversation.Row)}
	var err error
	if d.store, err = store.Open(t.Context(), d.kv); err != nil {
		t.Fatal(err)
	}
	if d.inbox, err = d.store.Inboxes.Load(t.Context(), agent); err != nil {
		t.Fatal(err)
	}
	d.svc = &usecase.Service{Store: d.store, Recents: hotmemory.New(hotmemory.Options{}), Log: slog.New(slog.DiscardHandler)}
	for i := range n {
		d.ids = append(d.ids, domain.DirectID(agent, domain.UserID(fmt.Sprintf("buyer-%d", i))))
		d.change(i, func(row *conversation.Row) { row.Touch(1, 1, int64(1000+i), false) })
	}
	d.flush()
	return d
}

// change changes a row without moving it in the list.
func (d *desk) change(i int, how func(*conversation.Row)) {
	d.t.Helper()
	row, err := d.store.Inboxes.Row(d.t.Context(), d.inbox, d.ids[i])
	if err != nil {
		d.t.Fatal(err)
	}
	how(row)
	d.store.Inboxes.Save(d.inbox, d.ids[i], row, user.Item{})
	d.want[d.ids[i]] = *row
}

// flush writes all that is pending.
func (d *desk) flush() {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	cancel()
	w := store.NewWriter(d.store, store.WriterOptions{FlushInterval: time.Hour, FlushBytes: 1 << 30, Log: d.svc.Log})
	if err := w.Run(ctx); err != nil {
		d.t.Fatal(err)
	}
}

// read reads the list by pages, calls between after each, and compares every
// row with what it is at that moment.
func (d *desk) read(since uint64, limit int, between func(page int)) (listed []domain.ConversationID) {
	d.t.Helper()
	cursor := ""
	for page := 0; ; page++ {
		p, refusal := d.svc.List(d.t.Context(), agent, cursor, since, limit)
		if refusal != nil {
			d.t.Fatal(refusal)
		}
		for _, l := range p.Rows {
			if diff := cmp.Diff(d.want[l.Conversation], l.Row); diff != "" {
				d.t.Fatalf("page %d (-want +got):\n%s", page, diff)
			}
			listed = append(listed, l.Conversation)
		}
		if cursor = p.Cursor; cursor == "" {
			return listed
		}
		between(page)
	}
}

func (d *desk) expect(listed []domain.ConversationID, newest, oldest int) {
	d.t.Helper()
	if len(listed) != newest-oldest+1 {
		d.t.Fatalf("%d conversations are listed, there are %d", len(listed), newest-oldest+1)
	}
	for i, id := range listed {
		if id != d.ids[newest-i] {
			d.t.Fatalf("place %d has another conversation", i)
		}
	}
}

// The list of 50,000 must be read within 0.3 s (X7): a look-up a row would
// take longer.
func TestALongListIsNotLookedUpRowByRow(t *testing.T) {
	const n = 6000
	d := newDesk(t, memory.New(), n)
	for _, state := range []string{"cold", "warm"} {
		d.kv.gets.Store(0)
		d.kv.scans.Store(0)
		d.expect(d.read(0, 200, func(int) {}), n-1, 0)
		if gets, scans := d.kv.gets.Load(), d.kv.scans.Load(); gets > n/2 || scans > 2 {
			t.Errorf("%s: %d look-ups and %d scans", state, gets, scans)
		}
	}
	d.kv.scans.Store(0)
	d.expect(d.read(1000, 200, func(int) {}), n-1, 1000)
	if scans := d.kv.scans.Load(); scans > 3 {
		t.Errorf("since: %d scans", scans)
	}
}

// Whoever reads the first page only, does not cost a reading of all.
func TestTheFirstPageOfAWarmListIsLookedUp(t *testing.T) {
	d := newDesk(t, memory.New(), 3000)
	first := func() {
		if _, refusal := d.svc.List(t.Context(), agent, "", 0, 50); refusal != nil {
			t.Fatal(refusal)
		}
	}
	d.read(0, 200, func(int) {})
	d.kv.scans.Store(0)
	for range 20 {
		first()
	}
	if scans := d.kv.scans.Load(); scans != 0 {
		t.Errorf("%d scans", scans)
	}
}

// A page shows what was stored before it was asked for, also when the list is
// read from the middle on out of memory.
func TestAChangeBetweenPagesIsListed(t *testing.T) {
	const n = 5000
	d := newDesk(t, memory.New(), n)
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 3 {
		listed := d.read(0, 100, func(page int) {
			if page%(round+2) != 0 {
				return
			}
			d.change(rng.IntN(n), func(row *conversation.Row) { row.MarkRead(row.Read+1, row.ReadN+1) })
			if rng.IntN(4) == 0 {
				d.flush()
			}
		})
		d.expect(listed, n-1, 0)
	}
}
