package e2e

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

func (l *link) create(key, title string, members ...string) string {
	l.t.Helper()
	return l.ask("opened", func(id string) []byte { return wire.AppendCreate(nil, id, key, title, members) }).Conversation
}

func (l *link) change(conversation string, add, remove []string) uint64 {
	l.t.Helper()
	return l.ask("changed", func(id string) []byte { return wire.AppendChange(nil, id, conversation, add, remove) }).Index
}

func (l *link) members(conversation, cursor string, limit int) *wire.Received {
	l.t.Helper()
	return l.ask("members", func(id string) []byte { return wire.AppendListMembers(nil, id, conversation, cursor, limit) })
}

func (l *link) heads() *wire.Received {
	l.t.Helper()
	return l.ask("heads", func(id string) []byte { return wire.AppendListHeads(nil, id) })
}

// content is what an entry of a group tells.
type content struct {
	Type, Title, Mode       string
	Members, Added, Removed []string
}

// tells expects the next push to be this entry of a group.
func (l *link) tells(index uint64, want content) *wire.Received {
	l.t.Helper()
	push := l.push()
	var got content
	if err := json.Unmarshal(push.Content, &got); err != nil {
		l.t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || push.Index != index {
		l.t.Fatalf("entry %d, want %d: %s", push.Index, index, diff)
	}
	return push
}

// says expects the next push to be this text.
func (l *link) says(index uint64, want string) *wire.Received {
	l.t.Helper()
	push := l.push()
	if text, ok := push.Text(); !ok || text != want || push.Index != index {
		l.t.Fatalf("got %d %q %+v, want %d %q", push.Index, text, push, index, want)
	}
	return push
}

// A shop, a creator and a service provider share a group (M2, M14, M16).
func TestMembersComeAndGo(t *testing.T) {
	s := serve(t)
	shop, creator, partner := s.enter("shop"), s.enter("creator"), s.enter("partner")
	id := shop.create("launch", "Launch", "creator")
	created := content{Type: "created", Title: "Launch", Members: []string{"creator", "shop"}}
	shop.tells(1, created)
	creator.tells(1, created)
	shop.send(id, "s1", "hello")
	creator.says(2, "hello")
	if index := shop.change(id, []string{"partner"}, nil); index != 3 {
		t.Errorf("partner came with entry %d", index)
	}
	if again := shop.create("launch", "Launch", "creator"); again != id {
		t.Errorf("made again as %s", again)
	}
	if index := shop.change(id, []string{"partner"}, nil); index != 0 {
		t.Errorf("coming twice made entry %d", index)
	}
	came := content{Type: "members", Added: []string{"partner"}}
	creator.tells(3, came)
	partner.tells(3, came)
	partner.send(id, "p1", "hi")
	creator.says(4, "hi")
	// Who came later sees nothing of before, neither read nor counted.
	if page := partner.before(id, 0, 0); len(page.Messages) != 2 || page.Messages[0].Index != 3 || page.More {
		t.Errorf("history of who came later: %+v", page)
	}
	if page := partner.after(id, 0, 0); len(page.Messages) != 2 || page.Messages[0].Index != 3 {
		t.Errorf("history of who came later, from its begin: %+v", page)
	}
	want := wire.Row{Conversation: id, Group: true, Title: "Launch", Index: 4, N: 2, Unread: 2}
	row := creator.onTop(id)
	row.At = 0
	if diff := cmp.Diff(want, row); diff != "" {
		t.Errorf("row of creator: %s", diff)
	}
	page := partner.members(id, "", 2)
	if page.Total != 3 || page.Cursor != "partner" || page.Members[0] != (wire.Member{User: "creator", Role: "member", Since: 1}) {
		t.Errorf("members: %+v", page)
	}
	if rest := partner.members(id, page.Cursor, 2); len(rest.Members) != 1 || rest.Members[0].Role != "owner" || rest.Cursor != "" {
		t.Errorf("the last of the members: %+v", rest)
	}
}

// Who has left keeps what he got, is told nothing more, and may only repeat.
func TestLeaving(t *testing.T) {
	s := serve(t)
	shop, creator := s.enter("shop"), s.enter("creator")
	id := shop.create("g", "Team", "creator")
	creator.push()
	sent := creator.send(id, "c1", "bye")
	if index := creator.change(id, nil, []string{"creator"}); index != 3 {
		t.Errorf("left with entry %d", index)
	}
	if own := creator.push(); own.Type != "own" || own.Index != 2 {
		t.Errorf("own place: %+v", own)
	}
	creator.tells(3, content{Type: "members", Removed: []string{"creator"}})
	shop.send(id, "s1", "gone")
	if page := creator.inbox(0, 0); len(page.Entries) != 3 || page.Newest != 3 {
		t.Errorf("the inbox goes on: %+v", page)
	}
	if row := creator.onTop(id); !row.Left || row.Index != 3 {
		t.Errorf("row of a group left: %+v", row)
	}
	creator.refused(`{"type":"history","id":"h","conversation":"`+id+`"}`, "h", wire.CodeForbidden)
	creator.refused(`{"type":"send","id":"x","conversation":"`+id+`","key":"c2","content":{"type":"text","text":"more"}}`, "x", wire.CodeForbidden)
	if again := creator.send(id, "c1", "bye"); again.Index != sent.Index || again.Message != sent.Message {
		t.Errorf("repeated: %+v, first %+v", again, sent)
	}
	shop.change(id, []string{"creator"}, nil)
	creator.tells(5, content{Type: "members", Added: []string{"creator"}})
	if row := creator.onTop(id); row.Left || row.Unread != 0 {
		t.Errorf("row after coming back: %+v", row)
	}
}

func TestWhoIsRefusedInGroups(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Limits.MaxGroupMembers = 3 })
	shop, creator := s.enter("shop"), s.enter("creator")
	s.enter("partner")
	s.enter("other")
	id := shop.create("g", "Team", "creator")
	direct := shop.open("creator")
	ask := func(l *link, request string, code wire.Code) {
		t.Helper()
		l.refused(request, "x", code)
	}
	ask(creator, `{"type":"change","id":"x","conversation":"`+id+`","add":["partner"]}`, wire.CodeForbidden)
	ask(shop, `{"type":"change","id":"x","conversation":"`+id+`","add":["nobody"]}`, wire.CodeNotFound)
	ask(shop, `{"type":"change","id":"x","conversation":"`+id+`","add":["partner","other"]}`, wire.CodeTooLarge)
	ask(shop, `{"type":"change","id":"x","conversation":"`+id+`"}`, wire.CodeInvalid)
	ask(shop, `{"type":"change","id":"x","conversation":"`+id+`","add":["partner"],"remove":["partner"]}`, wire.CodeInvalid)
	ask(shop, `{"type":"change","id":"x","conversation":"`+direct+`","add":["partner"]}`, wire.CodeForbidden)
	ask(shop, `{"type":"create","id":"x","key":"g","title":"Another","members":["creator"]}`, wire.CodeConflict)
	ask(shop, `{"type":"create","id":"x","key":"h","members":["nobody"]}`, wire.CodeNotFound)
	ask(s.enter("other"), `{"type":"members","id":"x","conversation":"`+id+`"}`, wire.CodeForbidden)
	if page := shop.members(id, "", 10); page.Total != 2 {
		t.Errorf("refused and done: %+v", page)
	}
}

// A group grows over the size at which members follow its head, and shrinks
// again (M65). What is lost on the way is noticed by the heartbeat (X2).
func TestALargeGroup(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Limits.LargeGroupSize = 2 })
	ann, bob, eve := s.enter("ann"), s.enter("bob"), s.enter("eve")
	id := ann.create("g", "All", "bob")
	bob.push()
	ann.change(id, []string{"eve"}, nil)
	for _, l := range []*link{bob, eve} {
		l.tells(2, content{Type: "members", Added: []string{"eve"}})
		if push := l.tells(3, content{Type: "diffusion", Mode: "read"}); push.Inbox.Index == 0 {
			t.Error("the entry that switches is in no inbox")
		}
	}
	ann.send(id, "a1", "to all")
	for _, l := range []*link{bob, eve} {
		if push := l.says(4, "to all"); push.Inbox != (wire.Place{}) || push.Pre != 3 {
			t.Errorf("an entry of a large group: %+v", push)
		}
	}
	bob.send(id, "b1", "thanks")
	if pong := eve.ping(); pong.Inbox.Heads != 5 || pong.Inbox.Index != 2 {
		t.Errorf("pong %+v", pong.Inbox)
	}
	if heads := eve.heads(); len(heads.Heads) != 1 || heads.Heads[0].Index != 5 || heads.Heads[0].Conversation != id {
		t.Errorf("heads %+v", heads)
	}
	if page := eve.after(id, 3, 0); len(page.Messages) != 2 {
		t.Errorf("pulled behind the head: %+v", page)
	}
	if row := eve.onTop(id); !row.Large || row.Index != 5 || row.Unread != 2 {
		t.Errorf("row of a large group: %+v", row)
	}
	eve.read(id, 4)
	if row := eve.onTop(id); row.Unread != 1 || row.Read != 4 {
		t.Errorf("row after reading: %+v", row)
	}
	if row := bob.onTop(id); row.Unread != 0 {
		t.Errorf("who sent last has unread: %+v", row)
	}
	ann.change(id, nil, []string{"bob", "eve"})
	ann.reach(4)
	if pong := ann.ping(); pong.Inbox.Heads != 0 {
		t.Errorf("small again, and still a head: %+v", pong.Inbox)
	}
	if page := ann.inbox(0, 0); page.Entries[len(page.Entries)-1].Index != 7 {
		t.Errorf("the switch back is not in the inbox: %+v", page)
	}
	ann.send(id, "a2", "alone")
	ann.reach(5)
}
