package pipeline

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/kv/memory"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
)

// gallery is an outbox that notes who was pushed what.
type gallery struct {
	crowd
	pushed map[domain.UserID][]user.Item
}

func (g *gallery) Online(domain.UserID) bool { return true }

func (g *gallery) Push(id domain.UserID, item user.Item, _ domain.Origin, _ *chat.Message) {
	item.Conversation = domain.ConversationID{}
	g.pushed[id] = append(g.pushed[id], item)
}

// Who comes into a large group has the entry that brings him in his inbox; those
// who are there follow the head. Nobody gets it on both ways, and whoever sends
// has read what he sent (M65, M21).
func TestALargeGroupTellsEachMemberOnce(t *testing.T) {
	st := openStore(t, memory.New())
	limits := chat.Limits{Members: 10, Large: 2}
	eve, joe := domain.UserID("eve"), domain.UserID("joe")
	recs := []stream.Record{
		at(0, record.AppendCreate(nil, domain.Origin{}, &chat.Creation{From: ann, Title: "All", Members: []domain.UserID{bob, eve}, At: 1, Limits: limits})),
		at(1, record.AppendChange(nil, domain.Origin{}, &chat.Changing{From: ann, Add: []domain.UserID{joe}, At: 1, Limits: limits})),
		at(2, said(1, "hello", "")),
	}
	out := &gallery{pushed: make(map[domain.UserID][]user.Item)}
	x := newMixed(st, out, unwatched{}, 0, 1)
	for i, r := range fannedOut(t, st, recs) {
		if err := x.step(t.Context(), &r); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	// The entries: created, large from here on, joe comes, a message.
	there := []user.Item{{Index: 1, Entry: 1}, {Index: 2, Pre: 1, Entry: 2}, {Entry: 3}, {Entry: 4}}
	want := map[domain.UserID][]user.Item{ann: there, bob: there, eve: there, joe: {{Index: 1, Entry: 3}, {Entry: 4}}}
	if diff := cmp.Diff(want, out.pushed); diff != "" {
		t.Errorf("pushes (-want +got):\n%s", diff)
	}
	for id, n := range map[domain.UserID]uint64{ann: 1, bob: 0} {
		if row, ok, err := st.Inboxes.RowOf(t.Context(), id, room); !ok || err != nil || row.OwnN != n {
			t.Errorf("%s has sent up to n %d, want %d: %v", id, row.OwnN, n, err)
		}
	}
}
