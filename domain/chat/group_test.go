package chat

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/domain"
)

var roomy = Limits{Members: 100, Large: 50}

// team is a group of ann, its owner, bob and eve.
func team(t *testing.T, l Limits) *Chain {
	t.Helper()
	c := NewChain(Seed{}, Head{}, nil)
	steps, refusal := c.Create(&Creation{From: "ann", Title: "Team", Members: []domain.UserID{"eve", "bob"}, At: 5_000_000, Limits: l}, at(1))
	if refusal != nil || len(steps) == 0 {
		t.Fatal(steps, refusal)
	}
	return c
}

// alter changes a group; it must be allowed.
func alter(t *testing.T, c *Chain, ch *Changing, pos domain.Position) {
	t.Helper()
	if steps, refusal := c.Alter(ch, pos); len(steps) == 0 || refusal != nil {
		t.Fatal(steps, refusal)
	}
}

func TestCreate(t *testing.T) {
	c := team(t, roomy)
	want := []Member{{"ann", Owner, 1}, {"bob", Plain, 1}, {"eve", Plain, 1}}
	if d := cmp.Diff(want, c.Head.Members); d != "" {
		t.Error(d)
	}
	if c.Head.Last != 1 || c.Head.N != 0 || c.Head.Position != at(1) {
		t.Errorf("head %+v", c.Head)
	}
	again := Creation{From: "ann", Title: "Team", Members: []domain.UserID{"bob", "eve", "bob"}, Limits: roomy}
	if steps, refusal := c.Create(&again, at(2)); len(steps) > 0 || refusal != nil {
		t.Errorf("the same again: %v, %v", steps, refusal)
	}
	again.Title = "Other"
	if _, refusal := c.Create(&again, at(2)); refusal == nil || refusal.Code != domain.Conflict {
		t.Errorf("another group under the key: %v", refusal)
	}
	tight := Creation{From: "ann", Members: []domain.UserID{"bob", "eve"}, Limits: Limits{Members: 2, Large: 50}}
	if _, refusal := NewChain(Seed{}, Head{}, nil).Create(&tight, at(1)); refusal == nil || refusal.Code != domain.TooLarge {
		t.Errorf("too many: %v", refusal)
	}
}

func TestWhoMayAlter(t *testing.T) {
	users := func(ids ...domain.UserID) []domain.UserID { return ids }
	for _, x := range []struct {
		name        string
		from        domain.UserID
		add, remove []domain.UserID
		code        domain.Code
		members     []domain.UserID // afterwards
		last        uint64
	}{
		{name: "an owner adds", from: "ann", add: users("joe"), members: users("ann", "bob", "eve", "joe"), last: 2},
		{name: "an owner exchanges", from: "ann", add: users("joe"), remove: users("bob"), members: users("ann", "eve", "joe"), last: 2},
		{name: "a member leaves", from: "bob", remove: users("bob"), members: users("ann", "eve"), last: 2},
		{name: "a member adds", from: "bob", add: users("joe"), code: domain.Forbidden, members: users("ann", "bob", "eve"), last: 1},
		{name: "a member removes", from: "bob", remove: users("eve"), code: domain.Forbidden, members: users("ann", "bob", "eve"), last: 1},
		{name: "a member takes another along", from: "bob", remove: users("bob", "eve"), code: domain.Forbidden, members: users("ann", "bob", "eve"), last: 1},
		{name: "a stranger adds himself", from: "joe", add: users("joe"), code: domain.Forbidden, members: users("ann", "bob", "eve"), last: 1},
		{name: "who is there, who is gone", from: "ann", add: users("bob"), remove: users("joe"), members: users("ann", "bob", "eve"), last: 1},
		{name: "all leave", from: "ann", remove: users("ann", "bob", "eve"), last: 2},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := team(t, roomy)
			_, refusal := c.Alter(&Changing{From: x.from, Add: x.add, Remove: x.remove, Limits: roomy}, at(2))
			if (refusal == nil) != (x.code == "") || refusal != nil && refusal.Code != x.code {
				t.Errorf("refused: %v", refusal)
			}
			if got := names(c.Head.Members); !slices.Equal(got, x.members) {
				t.Errorf("members %v, want %v", got, x.members)
			}
			if c.Head.Last != x.last || c.Head.N != 0 {
				t.Errorf("the chain ends at %d with n %d", c.Head.Last, c.Head.N)
			}
		})
	}
}

func TestDirectConversationsKeepTheirMembers(t *testing.T) {
	c := NewChain(Seed{}, Head{}, nil)
	c.Open([]domain.UserID{"ann", "bob"}, at(1))
	if _, refusal := c.Alter(&Changing{From: "ann", Remove: []domain.UserID{"ann"}, Limits: roomy}, at(2)); refusal == nil || refusal.Code != domain.Forbidden {
		t.Error(refusal)
	}
	if _, refusal := c.Create(&Creation{From: "ann", Limits: roomy}, at(2)); refusal == nil || refusal.Code != domain.Conflict {
		t.Error(refusal)
	}
}

// The owner leaves: whoever has been there longest follows.
func TestOwnershipIsInherited(t *testing.T) {
	c := team(t, roomy)
	alter(t, c, &Changing{From: "ann", Remove: []domain.UserID{"bob"}, Limits: roomy}, at(2))
	alter(t, c, &Changing{From: "ann", Add: []domain.UserID{"bob"}, Limits: roomy}, at(3))
	alter(t, c, &Changing{From: "ann", Remove: []domain.UserID{"ann"}, Limits: roomy}, at(4))
	want := []Member{{"bob", Plain, 3}, {"eve", Owner, 1}}
	if d := cmp.Diff(want, c.Head.Members); d != "" {
		t.Error(d)
	}
}

// A message that was accepted is told again to a sender who has left since; a
// new one is refused, and so is another text under an old key.
func TestWhoLeftMayRepeat(t *testing.T) {
	c, past := team(t, roomy), newMemory()
	first, err := c.Send(text("bob", "k1", "", "one"), at(2), past)
	if err != nil || first.Result != Appended {
		t.Fatal(first, err)
	}
	past.keep(first)
	alter(t, c, &Changing{From: "bob", Remove: []domain.UserID{"bob"}, Limits: roomy}, at(3))
	if out, err := c.Send(text("bob", "k1", "", "one"), at(4), past); err != nil || out.Result != Repeated || out.Entry.Index != 2 {
		t.Errorf("repeated: %+v, %v", out, err)
	}
	for _, send := range []*Send{text("bob", "k2", "", "two"), text("bob", "k1", "", "two")} {
		if out, err := c.Send(send, at(4), past); err != nil || out.Result != Refused || out.Refusal.Code != domain.Forbidden {
			t.Errorf("%s %s: %+v, %v", send.Key, send.Body, out, err)
		}
	}
}

// Whatever happens to a group: its diffusion follows its size with hysteresis,
// there is an owner while there are members, a change undone gives the members
// before, and the contents of the entries tell all of it.
func TestGroupHistories(t *testing.T) {
	crew := []domain.UserID{"a", "b", "c", "d", "e", "f", "g", "h"}
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{Members: 7, Large: 4}
		some := rapid.SliceOfDistinct(rapid.SampledFrom(crew), rapid.ID[domain.UserID])
		c := NewChain(Seed{}, Head{}, nil)
		told := make(map[domain.UserID]bool)
		before := []Member(nil)
		follow := func(steps []Step) {
			for i := range steps {
				tell(t, told, steps[i].Body)
			}
			if len(steps) == 0 {
				return
			}
			if got := steps[0].Change.Undo(c.Head.Members); !slices.Equal(names(got), names(before)) {
				t.Fatalf("undone: %v, before: %v", got, before)
			}
			before = c.Head.Members
			n := len(before)
			if n > limits.Large && c.Head.Diffusion != Read || n < 3 && c.Head.Diffusion != Write {
				t.Fatalf("%d members have diffusion %d", n, c.Head.Diffusion)
			}
		}
		steps, _ := c.Create(&Creation{From: "a", Limits: limits}, at(1))
		follow(steps)
		for i := range 12 {
			from := rapid.SampledFrom(crew).Draw(t, "from")
			add, remove := some.Draw(t, "add"), some.Draw(t, "remove")
			remove = slices.DeleteFunc(remove, func(id domain.UserID) bool { return slices.Contains(add, id) })
			steps, refusal := c.Alter(&Changing{From: from, Add: add, Remove: remove, Limits: limits}, at(int64(i+2)))
			if refusal != nil && len(steps) > 0 {
				t.Fatal("refused and done")
			}
			follow(steps)
			owners := 0
			for _, m := range c.Head.Members {
				if !told[m.ID] {
					t.Fatalf("no entry tells of %s", m.ID)
				}
				if m.Role == Owner {
					owners++
				}
			}
			if len(told) != len(c.Head.Members) || len(told) > 0 && owners == 0 || len(told) > limits.Members {
				t.Fatalf("%d members, the entries say %v; %d owners", len(c.Head.Members), told, owners)
			}
		}
	})
}

// tell takes the content of an entry into what a reader knows of the members.
func tell(t *rapid.T, told map[domain.UserID]bool, body []byte) {
	var content struct{ Members, Added, Removed []domain.UserID }
	if err := json.Unmarshal(body, &content); err != nil {
		t.Fatal(err)
	}
	for _, id := range append(content.Members, content.Added...) {
		told[id] = true
	}
	for _, id := range content.Removed {
		delete(told, id)
	}
}

// An entry moves those whom it brings or takes, and everybody when the diffusion
// changes.
func TestWhomAnEntryMoves(t *testing.T) {
	c := team(t, Limits{Members: 100, Large: 3})
	steps, refusal := c.Alter(&Changing{From: "ann", Add: []domain.UserID{"joe", "kim"}, Remove: []domain.UserID{"eve"}, Limits: Limits{Members: 100, Large: 3}}, at(2))
	if refusal != nil || len(steps) != 2 {
		t.Fatal(steps, refusal)
	}
	message := func(s Step) *Message { return &Message{Entry: s.Outcome.Entry, Body: s.Body} }
	for user, moved := range map[domain.UserID]bool{"joe": true, "eve": true, "ann": false, "bob": false} {
		if message(steps[0]).Moves(user) != moved {
			t.Errorf("%s is moved: %v", user, !moved)
		}
		if !message(steps[1]).Moves(user) {
			t.Errorf("the switch does not move %s", user)
		}
	}
	if (&Message{Entry: Entry{Kind: Text}, Body: []byte(`{"added":["joe"]}`)}).Moves("joe") {
		t.Error("a text moves somebody")
	}
}

// Every entry names the one before it, counted or not, and only messages count
// (M59, M21).
func TestEveryEntryNamesTheOneBefore(t *testing.T) {
	c, past := team(t, roomy), newMemory()
	want := Entry{Index: 1}
	expect := func(out Outcome, counts bool) {
		t.Helper()
		want.Pre, want.Index = want.Index, want.Index+1
		if counts {
			want.N++
		}
		if got := (Entry{Index: out.Entry.Index, Pre: out.Entry.Pre, N: out.Entry.N}); cmp.Diff(want, got) != "" {
			t.Errorf("entry %+v, want %+v", got, want)
		}
	}
	for i, key := range []string{"a", "b", "c"} {
		pos := at(int64(10 * (i + 1)))
		out, err := c.Send(text("ann", key, "", "x"), pos, past)
		if err != nil {
			t.Fatal(err)
		}
		expect(out, true)
		expect(c.Park(1, pos), false)
		steps, refusal := c.Alter(&Changing{From: "ann", Add: []domain.UserID{domain.UserID(key)}, Limits: roomy}, pos)
		if refusal != nil || len(steps) != 1 {
			t.Fatal(steps, refusal)
		}
		expect(steps[0].Outcome, false)
	}
}

// A group becomes large above its limit and an ordinary one again well below it:
// one whose members come and go at the limit does not switch each time (M65).
func TestDiffusionHasHysteresis(t *testing.T) {
	limits := Limits{Members: 100, Large: 4}
	c := team(t, limits)
	for i, x := range []struct {
		add, remove []domain.UserID
		want        Diffusion
	}{
		{add: []domain.UserID{"joe"}, want: Write},    // 4
		{add: []domain.UserID{"kim"}, want: Read},     // 5
		{remove: []domain.UserID{"kim"}, want: Read},  // 4
		{remove: []domain.UserID{"joe"}, want: Read},  // 3, three quarters
		{remove: []domain.UserID{"eve"}, want: Write}, // 2
		{add: []domain.UserID{"eve", "joe"}, want: Write},
		{add: []domain.UserID{"kim"}, want: Read},
	} {
		alter(t, c, &Changing{From: "ann", Add: x.add, Remove: x.remove, Limits: limits}, at(int64(i+2)))
		if c.Head.Diffusion != x.want {
			t.Errorf("step %d, %d members: diffusion %d, want %d", i, len(c.Head.Members), c.Head.Diffusion, x.want)
		}
	}
}
