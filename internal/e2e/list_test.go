package e2e

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// withoutTimes compares rows but for their times.
var withoutTimes = cmpopts.IgnoreFields(wire.Row{}, "At")

func TestReadingOnOneDeviceClearsUnreadOnAnother(t *testing.T) {
	s := serve(t)
	alice, phone, laptop := s.enter("alice"), s.enter("bob"), s.dial()
	laptop.hello(s.token("bob"), "laptop")
	id := alice.open("bob")
	if rows := phone.list("", 0).Conversations; len(rows) != 0 {
		t.Errorf("a conversation without a message is listed: %+v", rows)
	}
	for i := range 5 {
		alice.send(id, fmt.Sprint("k", i), "text")
	}
	phone.reach(5)
	row := wire.Row{Conversation: id, With: "alice", Index: 5, N: 5, Unread: 5}
	for _, step := range []struct {
		read   uint64 // 0: no read
		want   uint64
		unread uint64
	}{{0, 0, 5}, {3, 3, 2}, {2, 3, 2}, {3, 3, 2}, {5, 5, 0}} {
		if step.read > 0 {
			phone.read(id, step.read)
		}
		row.Read, row.Unread = step.want, step.unread
		if diff := cmp.Diff([]wire.Row{row}, laptop.list("", 0).Conversations, withoutTimes); diff != "" {
			t.Errorf("read %d: %s", step.read, diff)
		}
	}
	phone.send(id, "b1", "an answer")
	phone.reach(6)
	laptop.reach(6)
	row.Index, row.N = 6, 6
	if diff := cmp.Diff([]wire.Row{row}, laptop.list("", 0).Conversations, withoutTimes); diff != "" {
		t.Error("an own message is not unread:", diff)
	}
	if rows := alice.list("", 0).Conversations; len(rows) != 1 || rows[0].Unread != 1 || rows[0].With != "bob" || rows[0].At == 0 {
		t.Errorf("alice sees %+v", rows)
	}
}

func TestAListIsPagedByCursor(t *testing.T) {
	s := serve(t)
	alice := s.enter("alice")
	const n = 7
	var want []string // newest first
	for i := range n {
		name := fmt.Sprint("friend", i)
		s.enter(name)
		id := alice.open(name)
		alice.send(id, "k", "hello")
		alice.reach(uint64(i + 1))
		want = append([]string{id}, want...)
		alice.onTop(id)
	}
	for _, limit := range []int{1, 2, 3, 6, 7, 8, 200} {
		var got []string
		pages := 0
		for cursor := ""; pages == 0 || cursor != ""; pages++ {
			page := alice.list(cursor, limit)
			for _, row := range page.Conversations {
				got = append(got, row.Conversation)
			}
			cursor = page.Cursor
		}
		if diff := cmp.Diff(want, got); diff != "" || pages != (n+limit-1)/limit {
			t.Errorf("limit %d: %d pages, %s", limit, pages, diff)
		}
	}
	alice.send(want[n-1], "k2", "the oldest comes to the top")
	alice.reach(n + 1)
	if top := alice.onTop(want[n-1]); top.Index != 2 {
		t.Errorf("on top is %+v", top)
	}
	alice.refused(`{"type":"list","id":"x","cursor":"bm90IG91cnM"}`, "x", wire.CodeInvalid)
	alice.refused(`{"type":"list","id":"y","cursor":"\u0000"}`, "y", wire.CodeInvalid)
}

func TestTheListSurvivesARestart(t *testing.T) {
	s := serve(t)
	alice, bob := s.enter("alice"), s.enter("bob")
	id := alice.open("bob")
	for i := range 3 {
		alice.send(id, fmt.Sprint("k", i), "text")
	}
	bob.reach(3)
	bob.read(id, 2)
	before := bob.list("", 0).Conversations
	s = s.again()
	if diff := cmp.Diff(before, s.enter("bob").list("", 0).Conversations); diff != "" || before[0].Unread != 1 {
		t.Errorf("%+v then %s", before, diff)
	}
}
