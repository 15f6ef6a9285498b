package check

import (
	"fmt"
	"slices"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// creation is a request for a group.
type creation struct {
	user, title string
	members     []string
	where       trail.Where
}

// founders are the members that a group is asked for with, by name.
func founders(user string, f trail.Frame) []string {
	names := append(trail.Names(f.Members), user)
	slices.Sort(names)
	return slices.Compact(names)
}

// change is a request to change the members of a group.
type change struct {
	user    string
	frame   trail.Frame
	t       int64
	where   trail.Where
	index   int64 // of the entry that the answer names
	refused bool  // for good, or nothing was to change
}

// makes reports whether this change makes that entry, with the members before it.
func (c *change) makes(e *trail.Entry, before standing) bool {
	pick := func(names []string, there bool) []string {
		var out []string
		for _, name := range names {
			if before.has(name) == there {
				out = append(out, name)
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return e.Content != nil && e.Content.Type == trail.Members && e.From == c.user && e.Conversation == c.frame.Conversation &&
		slices.Equal(e.Content.Added, pick(c.frame.Add, false)) && slices.Equal(e.Content.Removed, pick(c.frame.Remove, true))
}

// created takes the answer to create: the same group each time, as asked for.
func (w *walk) created(ev trail.Event, req request) {
	conv, subject := ev.Frame.Conversation, "group "+req.frame.Key+" of "+w.user
	if req.expect == trail.Clash {
		w.wrong(ev, subject, "another group under a key that was used was taken")
		return
	}
	chain := w.b.state.Chains[conv]
	if len(chain) == 0 {
		w.found(Lost, subject, ev.Where, "%s was told group %s, which is not there", w.user, conv)
		return
	}
	c := content(&chain[0])
	if chain[0].From != w.user || c.Type != trail.Created || c.Title != req.frame.Title || !slices.Equal(c.Members, founders(w.user, req.frame)) {
		w.found(Invented, subject, ev.Where, "%s made a group %q of %v; %s begins with %+v",
			w.user, req.frame.Title, founders(w.user, req.frame), short(conv), c)
	}
}

// changed takes the answer to change: the entry that it made, or that there was
// nothing to do.
func (w *walk) changed(ev trail.Event, req request) {
	f, c := ev.Frame, req.change
	if f.Index == 0 {
		c.refused = true
		w.later = append(w.later, func(h *history) []Finding {
			for _, s := range h.between(w.group(req), req.frame.Conversation, req.t, ev.T) {
				if !slices.ContainsFunc(c.frame.Add, func(u string) bool { return !s.has(u) }) &&
					!slices.ContainsFunc(c.frame.Remove, s.has) {
					return nil
				}
			}
			return []Finding{{WrongAnswers, "change " + ev.Where.String(),
				fmt.Sprintf("%s asked for +%v -%v in %s and was told that nothing changed", w.user, c.frame.Add, c.frame.Remove,
					short(req.frame.Conversation)), ev.Where}}
		})
		return
	}
	c.index = f.Index
	w.claims++
	p := place{req.frame.Conversation, f.Index}
	if t, ok := w.known[p]; !ok || ev.T < t {
		w.known[p] = ev.T
	}
	e, subject := w.b.at[p], fmt.Sprint("change at ", p)
	switch {
	case e == nil:
		w.found(Lost, subject, ev.Where, "%s was told that his change stands at index %d of %s, which is not there", w.user, f.Index, short(p.conv))
	case !c.makes(e, w.group(req).at(f.Index-1)):
		w.found(Lost, subject, ev.Where, "%s was told that +%v -%v stands at index %d of %s; there stands %+v from %s",
			w.user, c.frame.Add, c.frame.Remove, f.Index, short(p.conv), content(e), e.From)
	}
	w.later = append(w.later, func(h *history) []Finding {
		if known := h.chains[p.conv].before(req.t); f.Index <= known {
			return []Finding{{Reordered, subject, fmt.Sprintf("a change stands at %d of %s; %d was known before it was asked for",
				f.Index, short(p.conv), known), ev.Where}}
		}
		return nil
	})
}

// group is the group that a request names, an empty one if there is none.
func (w *walk) group(req request) *group {
	if g := w.b.groups[req.frame.Conversation]; g != nil {
		return g
	}
	return &group{}
}

// members takes a page of a group's members, as they were at some time while it
// was asked for.
func (w *walk) members(ev trail.Event, req request) {
	f := ev.Frame
	if w.b.groups[req.frame.Conversation] == nil {
		return
	}
	w.later = append(w.later, func(h *history) []Finding {
		for _, s := range h.between(w.group(req), req.frame.Conversation, req.t, ev.T) {
			if f.Total == len(s.members) && slices.Equal(f.Members, s.page(req.frame.Cursor, pageLimit(req.frame.Limit, 200))) {
				return nil
			}
		}
		return []Finding{{WrongAnswers, "members " + ev.Where.String(),
			fmt.Sprintf("%s was told %d members of %s, %v, as there never were then", w.user, f.Total, short(req.frame.Conversation), f.Members), ev.Where}}
	})
}

func (s standing) page(after string, limit int) []trail.Person {
	var page []trail.Person
	for _, m := range s.members {
		role := "member"
		if m.owner {
			role = "owner"
		}
		if m.user > after && len(page) < limit {
			page = append(page, trail.Person{User: m.user, Role: role, Since: m.since})
		}
	}
	return page
}

// outside takes a refusal as of somebody who is no member, or no owner: he must
// not have been, at some time while he asked, and what has its receipt is never
// refused, whoever has left.
func (w *walk) outside(ev trail.Event, req request) {
	if r, taken := w.acks[ident{req.frame.Conversation, w.user, req.frame.Key}]; taken && r.t < req.t &&
		(req.expect == trail.Same || req.expect == trail.Accept) {
		w.wrong(ev, "refused "+ev.Where.String(), "%s of %s was refused, which has its receipt", req.frame.Key, w.user)
		return
	}
	w.later = append(w.later, func(h *history) []Finding {
		for _, s := range h.between(w.group(req), req.frame.Conversation, req.t, ev.T) {
			m, in := s.find(w.user)
			leaves := len(req.frame.Add) == 0 && slices.Equal(req.frame.Remove, []string{w.user})
			if !in || req.change != nil && !m.owner && !leaves {
				return nil
			}
		}
		return []Finding{{WrongAnswers, "refused " + ev.Where.String(),
			fmt.Sprintf("%s of %s was refused as of one outside of %s, where he was", req.frame.Type, w.user, short(req.frame.Conversation)), ev.Where}}
	})
}
