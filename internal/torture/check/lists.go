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
	var out []Finding
	for user, convs := range b.want {
		rows := b.state.Lists[user]
		out = append(out, listOrder(user, rows)...)
		for _, r := range rows {
			if len(convs[r.Conversation]) == 0 && r.Index > 0 {
				out = append(out, Finding{UnreadMismatch, user + " in " + r.Conversation,
					fmt.Sprintf("%s's list shows %s, which is none of his", user, short(r.Conversation)), trail.Where{}})
			}
		}
		for conv, entries := range convs {
			s := seat{user, conv}
			if len(entries) > 0 { // else opened, nothing said: it may be shown or not
				out = append(out, row(b, s, append([]int64{done[s]}, open[s]...))...)
			}
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

// view is what a row has to show.
type view struct {
	newest trail.Entry
	own    trail.Entry // newest message of the user himself
	joined int64       // n with which he joined
	row    trail.Row   // Group, Title, Left and Large
}

// viewOf is the end of the chain, or for who has left, the entry that ended it.
func viewOf(b *book, s seat) view {
	chain := b.state.Chains[s.conv]
	v := view{newest: chain[len(chain)-1]}
	if g := b.groups[s.conv]; g != nil {
		joined, left, _ := g.stay(s.user)
		v.row = trail.Row{Group: true, Title: content(&g.first).Title, Left: left > 0, Large: left == 0 && g.at(g.last).large}
		v.joined = countUpTo(chain, joined)
		if e := b.at[place{s.conv, left}]; e != nil {
			v.newest = *e
		}
	}
	for _, e := range chain {
		if e.From == s.user && !e.Own() {
			v.own = e
		}
	}
	return v
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
	if len(rows) != 1 {
		return say("%d rows", len(rows))
	}
	got, v := rows[0], viewOf(b, s)
	newest := v.newest
	if got.Index != newest.Index || got.N != newest.N || got.At != newest.At {
		return say("it shows index %d n %d at %d, its end is index %d n %d at %d",
			got.Index, got.N, got.At, newest.Index, newest.N, newest.At)
	}
	if !v.row.Group && (!b.member(s.conv, got.With) || got.With == s.user) {
		return say("with %q", got.With)
	}
	if got.Group != v.row.Group || got.Title != v.row.Title || got.Left != v.row.Left || got.Large != v.row.Large {
		return say("group %v, title %q, left %v, large %v; right were %v, %q, %v, %v",
			got.Group, got.Title, got.Left, got.Large, v.row.Group, v.row.Title, v.row.Left, v.row.Large)
	}
	var unread []int64
	for _, r := range reads {
		if r < reads[0] {
			continue
		}
		n := newest.N - min(newest.N, max(countUpTo(chain, r), v.own.N, v.joined))
		unread = append(unread, n)
		// read shows the position with or without the own last message.
		if got.Unread == n && (got.Read == r || got.Read == max(r, v.own.Index)) {
			return nil
		}
	}
	slices.Sort(unread)
	return say("unread %d, read %d; right were unread %v (read up to one of %v, own last message %d, joined with n %d)",
		got.Unread, got.Read, slices.Compact(unread), reads, v.own.Index, v.joined)
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
