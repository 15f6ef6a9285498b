package check

import (
	"fmt"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

func inboxPlace(user string, index int64) string { return fmt.Sprintf("inbox %s/%d", user, index) }

// inboxes: each is the projection of the chains of its user's conversations.
func inboxes(b *book, _ *history) []Finding {
	want := map[string]map[string]bool{} // user, conversation
	for conv, members := range b.state.Conversations {
		for _, user := range members {
			if want[user] == nil {
				want[user] = map[string]bool{}
			}
			want[user][conv] = true
		}
	}
	for user := range b.state.Inboxes {
		if want[user] == nil {
			want[user] = nil
		}
	}
	var out []Finding
	for user, convs := range want {
		out = append(out, inbox(b, user, convs)...)
	}
	return out
}

func inbox(b *book, user string, convs map[string]bool) []Finding {
	var out []Finding
	say := func(index int64, format string, args ...any) {
		subject := inboxPlace(user, index)
		out = append(out, Finding{InboxMismatch, subject, subject + ": " + fmt.Sprintf(format, args...), trail.Where{}})
	}
	taken := map[string]int64{} // newest chain index by conversation
	var last int64
	for _, e := range b.state.Inboxes[user] {
		if e.Inbox == nil {
			say(0, "an entry without its place")
			continue
		}
		i := e.Inbox.Index
		if i != last+1 || e.Inbox.Pre != last {
			say(i, "pre %d; it follows %d", e.Inbox.Pre, last)
		}
		last = i
		final := b.at[place{e.Conversation, e.Index}]
		switch {
		case !convs[e.Conversation]:
			say(i, "%s is no conversation of his", e.Conversation)
		case final == nil:
			say(i, "index %d of %s does not exist", e.Index, short(e.Conversation))
		case e.Index <= taken[e.Conversation]:
			say(i, "index %d of %s comes again, or after %d", e.Index, short(e.Conversation), taken[e.Conversation])
		case final.Pre != taken[e.Conversation]:
			say(i, "index %d of %s follows %d: entries between are missing", e.Index, short(e.Conversation), taken[e.Conversation])
		case final.Message != e.Message || e.Content != nil && content(final) != *e.Content:
			say(i, "index %d of %s shows another message than the chain", e.Index, short(e.Conversation))
		}
		taken[e.Conversation] = max(taken[e.Conversation], e.Index)
	}
	for conv := range convs {
		chain := b.state.Chains[conv]
		if n := len(chain); n > 0 && taken[conv] < chain[n-1].Index {
			out = append(out, Finding{InboxMismatch, "end of " + conv + " for " + user,
				fmt.Sprintf("%s's inbox has %s up to %d, the chain goes to %d", user, short(conv), taken[conv], chain[n-1].Index), trail.Where{}})
		}
	}
	return out
}
