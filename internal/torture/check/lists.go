package check

import (
	"fmt"
	"slices"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// seat is a user in a conversation.
type seat struct{ user, conv string }

// lists: each is what chains and answered reads make of it. A read without an
// answer may have counted or not.
func lists(b *book, h *history) []Finding {
	done, open := map[seat]int64{}, map[seat][]int64{}
	for _, r := range h.reads {
		s := seat{r.user, r.conv}
		if r.done {
			done[s] = max(done[s], r.index)
		} else {
			open[s] = append(open[s], r.index)
		}
	}
	convs := map[string][]string{}
	for conv, members := range b.state.Conversations {
		for _, user := range members {
			convs[user] = append(convs[user], conv)
		}
	}
	var out []Finding
	for user, mine := range convs {
		rows := b.state.Lists[user]
		out = append(out, listOrder(user, rows)...)
		for _, conv := range mine {
			s := seat{user, conv}
			out = append(out, row(b, s, append([]int64{done[s]}, open[s]...))...)
		}
	}
	return out
}

func listOrder(user string, rows []trail.Row) []Finding {
	var out []Finding
	for i := 1; i < len(rows); i++ {
		if rows[i].At > rows[i-1].At {
			out = append(out, Finding{UnreadMismatch, fmt.Sprint("order ", user, i),
				fmt.Sprintf("%s's list is not newest first: row %d of %d, then %d", user, i, rows[i-1].At, rows[i].At), trail.Where{}})
		}
	}
	return out
}

// row checks the row of a seat. reads are the read positions possible: the
// first has certainly counted, the others maybe.
func row(b *book, s seat, reads []int64) []Finding {
	chain := b.state.Chains[s.conv]
	var rows []trail.Row
	for _, r := range b.state.Lists[s.user] {
		if r.Conversation == s.conv {
			rows = append(rows, r)
		}
	}
	say := func(format string, args ...any) []Finding {
		return []Finding{{UnreadMismatch, s.user + " in " + s.conv,
			fmt.Sprintf("%s's row of %s: ", s.user, short(s.conv)) + fmt.Sprintf(format, args...), trail.Where{}}}
	}
	if len(chain) == 0 {
		return nil // opened, nothing said: it may be shown or not
	}
	if len(rows) != 1 {
		return say("%d rows", len(rows))
	}
	got, newest := rows[0], chain[len(chain)-1]
	if got.Index != newest.Index || got.N != newest.N || got.At != newest.At {
		return say("it shows index %d n %d at %d, the chain ends with index %d n %d at %d",
			got.Index, got.N, got.At, newest.Index, newest.N, newest.At)
	}
	if !b.member(s.conv, got.With) || got.With == s.user {
		return say("with %q", got.With)
	}
	var own trail.Entry
	for _, e := range chain {
		if e.From == s.user {
			own = e
		}
	}
	var unread []int64
	for _, r := range reads {
		if r < reads[0] {
			continue
		}
		n := newest.N - max(countUpTo(chain, r), own.N)
		unread = append(unread, n)
		// read shows the position with or without the own last message.
		if got.Unread == n && (got.Read == r || got.Read == max(r, own.Index)) {
			return nil
		}
	}
	slices.Sort(unread)
	return say("unread %d, read %d; right were unread %v (read up to one of %v, own last message %d)",
		got.Unread, got.Read, slices.Compact(unread), reads, own.Index)
}

// countUpTo is n at an index: that of the last entry not above it.
func countUpTo(chain []trail.Entry, index int64) int64 {
	i, found := slices.BinarySearchFunc(chain, index, func(e trail.Entry, i int64) int { return int(e.Index - i) })
	if found {
		return chain[i].N
	}
	if i == 0 {
		return 0
	}
	return chain[i-1].N
}
