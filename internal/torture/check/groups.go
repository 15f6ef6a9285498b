package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// groups: each began as somebody asked, each of its own entries was asked for
// once and follows the rules, and only members wrote into it.
func groups(b *book, h *history) []Finding {
	var out []Finding
	titles := map[string]string{}
	for conv, g := range b.groups {
		out = append(out, beginning(b, h, conv, g, titles)...)
		out = append(out, rules(b, conv, g)...)
		out = append(out, askedFor(b, h, conv, g)...)
	}
	return out
}

func beginning(b *book, h *history, conv string, g *group, titles map[string]string) []Finding {
	if len(b.state.Chains[conv]) == 0 {
		if _, told := b.state.Groups[conv]; told {
			return []Finding{{Lost, "group " + conv, fmt.Sprintf("group %s was seen and is not there", short(conv)), trail.Where{}}}
		}
		return nil
	}
	c, by := content(&g.first), g.first.From+" "+content(&g.first).Title
	meant := slices.ContainsFunc(h.creates, func(x creation) bool {
		return x.user == g.first.From && x.title == c.Title && slices.Equal(x.members, c.Members)
	})
	switch other, twice := titles[by]; {
	case c.Type != trail.Created || !meant:
		return []Finding{{Invented, "group " + conv, fmt.Sprintf("%s begins with %+v from %s, which nobody asked for", short(conv), c, g.first.From), trail.Where{}}}
	case twice:
		return []Finding{{Duplicated, "group " + conv, fmt.Sprintf("%s and %s are one group, made twice", short(conv), short(other)), trail.Where{}}}
	}
	titles[by] = conv
	return nil
}

// rules goes over a chain entry by entry.
func rules(b *book, conv string, g *group) []Finding {
	var out []Finding
	say := func(e *trail.Entry, format string, args ...any) {
		out = append(out, Finding{WrongAnswers, fmt.Sprint("rule ", conv, e.Index),
			fmt.Sprintf("group %s at index %d: ", short(conv), e.Index) + fmt.Sprintf(format, args...), trail.Where{}})
	}
	due := "" // the switch that the next entry has to be
	chain := b.state.Chains[conv]
	for i := range chain {
		e := &chain[i]
		before := g.at(e.Index - 1)
		m, in := before.find(e.From)
		c := content(e)
		if due != "" && (c.Type != trail.Diffusion || c.Mode != due) || due == "" && c.Type == trail.Diffusion && b.state.Large > 0 {
			say(e, "%s %s stands where the switch to %q belongs", c.Type, c.Mode, due)
		}
		due = ""
		switch c.Type {
		case trail.Diffusion, "void":
			continue
		case trail.Created:
			if i > 0 {
				say(e, "made again")
			}
			due = b.due(g.at(e.Index))
			continue
		case trail.Members:
			if !m.owner && !(len(c.Added) == 0 && slices.Equal(c.Removed, []string{e.From})) {
				say(e, "+%v -%v by %s, who is no owner", c.Added, c.Removed, e.From)
			}
			due = b.due(g.at(e.Index))
		}
		if !in {
			say(e, "a %s of %s, who is no member", c.Type, e.From)
		}
	}
	if due != "" {
		say(&chain[len(chain)-1], "the switch to %q is missing", due)
	}
	return out
}

// due is the mode that a group of this size has to switch to, if any.
func (b *book) due(s standing) string {
	n, size := len(s.members), b.state.Large
	switch {
	case size == 0:
	case n > size && !s.large:
		return "read"
	case 4*n < 3*size && s.large:
		return "write"
	}
	return ""
}

// askedFor matches the changes in a chain with those that were asked for: those
// whose answer names their entry first, the rest with what has no answer.
func askedFor(b *book, h *history, conv string, g *group) []Finding {
	named := map[int64]*change{}
	var open []*change
	var out []Finding
	for _, c := range h.changes {
		switch {
		case c.frame.Conversation != conv || c.refused:
		case c.index == 0:
			open = append(open, c)
		case named[c.index] != nil:
			out = append(out, Finding{WrongAnswers, fmt.Sprint("change ", conv, c.index),
				fmt.Sprintf("two changes of %s were told that they are index %d", short(conv), c.index), c.where})
		default:
			named[c.index] = c
		}
	}
	slices.SortFunc(open, func(a, b *change) int { return cmp.Compare(a.t, b.t) })
	taken := map[*change]*trail.Entry{}
	for i := range b.state.Chains[conv] {
		e := &b.state.Chains[conv][i]
		if content(e).Type != trail.Members || named[e.Index] != nil {
			continue
		}
		if !assign(g, e, open, taken, map[*change]bool{}) {
			out = append(out, Finding{Invented, fmt.Sprint("change ", conv, e.Index),
				fmt.Sprintf("%s at index %d: +%v -%v from %s, which was not asked for, or not so often",
					short(conv), e.Index, e.Content.Added, e.Content.Removed, e.From), trail.Where{}})
		}
	}
	return out
}

// assign finds a change that can have made an entry, moving others if need be.
func assign(g *group, e *trail.Entry, open []*change, taken map[*change]*trail.Entry, tried map[*change]bool) bool {
	before := g.at(e.Index - 1)
	for _, c := range open {
		if tried[c] || !c.makes(e, before) {
			continue
		}
		tried[c] = true
		if taken[c] == nil || assign(g, taken[c], open, taken, tried) {
			taken[c] = e
			return true
		}
	}
	return false
}
