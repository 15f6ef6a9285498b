package check

import (
	"fmt"
	"slices"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

func inboxPlace(user string, index int64) string { return fmt.Sprintf("inbox %s/%d", user, index) }

// inboxes: each is the projection of the chains: of each conversation just the
// entries that were for its user, in order.
func inboxes(b *book, _ *history) []Finding {
	users := map[string]bool{}
	for user := range b.want {
		users[user] = true
	}
	for user := range b.state.Inboxes {
		users[user] = true
	}
	var out []Finding
	for user := range users {
		out = append(out, inbox(b, user)...)
	}
	return out
}

func inbox(b *book, user string) []Finding {
	var out []Finding
	say := func(index int64, format string, args ...any) {
		subject := inboxPlace(user, index)
		out = append(out, Finding{InboxMismatch, subject, subject + ": " + fmt.Sprintf(format, args...), trail.Where{}})
	}
	rest := map[string][]int64{} // what is still to come, by conversation
	for conv, entries := range b.want[user] {
		rest[conv] = entries
	}
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
		all, his := b.want[user][e.Conversation]
		todo := rest[e.Conversation]
		at := slices.Index(todo, e.Index)
		switch final := b.at[place{e.Conversation, e.Index}]; {
		case !his:
			say(i, "%s is no conversation of his", e.Conversation)
		case final == nil:
			say(i, "index %d of %s does not exist", e.Index, short(e.Conversation))
		case at < 0 && slices.Contains(all, e.Index):
			say(i, "index %d of %s comes again, or too late", e.Index, short(e.Conversation))
		case at < 0:
			say(i, "index %d of %s was not for him", e.Index, short(e.Conversation))
		case at > 0:
			say(i, "index %d of %s comes where %d belongs: entries between are missing", e.Index, short(e.Conversation), todo[0])
		case final.Message != e.Message || e.Content != nil && !content(final).Equal(*e.Content):
			say(i, "index %d of %s shows another message than the chain", e.Index, short(e.Conversation))
		}
		if at >= 0 {
			rest[e.Conversation] = todo[at+1:]
		}
	}
	for conv, todo := range rest {
		if len(todo) > 0 {
			out = append(out, Finding{InboxMismatch, "end of " + conv + " for " + user,
				fmt.Sprintf("%s's inbox lacks %d entries of %s, the first is %d", user, len(todo), short(conv), todo[0]), trail.Where{}})
		}
	}
	return out
}
