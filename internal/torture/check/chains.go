package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// acked: each message with a receipt is in its chain.
func acked(b *book, h *history) []Finding {
	var out []Finding
	for id, r := range h.acks {
		if len(b.byKey[id]) == 0 {
			out = append(out, Finding{Lost, id.String(), fmt.Sprintf("%s has a receipt and is not in its chain", id), r.where})
		}
	}
	return out
}

// numbering: index, pre and n of a chain follow one another.
func numbering(b *book, _ *history) []Finding {
	var out []Finding
	for conv, entries := range b.state.Chains {
		var prev trail.Entry
		for _, e := range entries {
			n := prev.N + 1
			if e.Own() {
				n = prev.N
			}
			if e.Void() {
				n = prev.N
				out = append(out, Finding{WrongAnswers, fmt.Sprint("void ", conv, e.Index),
					fmt.Sprintf("index %d of %s is void: nothing that was sent deserves to be parked", e.Index, short(conv)), trail.Where{}})
			}
			if e.Index <= prev.Index || e.Pre != prev.Index || e.N != n {
				out = append(out, Finding{Reordered, fmt.Sprint("numbering ", conv, e.Index),
					fmt.Sprintf("chain %s: index %d n %d is followed by index %d pre %d n %d", short(conv), prev.Index, prev.N, e.Index, e.Pre, e.N), trail.Where{}})
			}
			prev = e
		}
	}
	return out
}

// said is a text in a conversation; all intended texts differ.
type said struct{ conv, from, text string }

// stored: each entry was intended, as it stands, and stands once.
func stored(b *book, h *history) []Finding {
	meant := make(map[said]ident, len(h.intents))
	for id, in := range h.intents {
		meant[said{id.conv, id.from, in.text}] = id
	}
	var out []Finding
	for conv, entries := range b.state.Chains {
		first := map[said]int64{}
		for i := range entries {
			if e := &entries[i]; !e.Void() && !e.Own() {
				out = append(out, storedOne(h, meant, first, conv, e)...)
			}
		}
	}
	return out
}

func storedOne(h *history, meant map[said]ident, first map[said]int64, conv string, e *trail.Entry) []Finding {
	id := ident{conv, e.From, e.Key}
	text := said{conv, e.From, e.Text()}
	in, ok := h.intents[id]
	if _, repeated := first[text]; repeated {
		origin := meant[text]
		return []Finding{{Duplicated, fmt.Sprint(id, e.Index), fmt.Sprintf("%s stands at index %d and again, as %s, at %d",
			origin, first[text], e.Key, e.Index), h.intents[origin].where}}
	}
	first[text] = e.Index
	switch {
	case ok && in.text == e.Text():
		return nil
	case ok:
		return []Finding{{Invented, id.String(), fmt.Sprintf("%s at index %d stands with another text: %.80q, meant was %.80q",
			id, e.Index, e.Text(), in.text), in.where}}
	default:
		return []Finding{{Invented, id.String(), fmt.Sprintf("%s at index %d was never meant: %.80q", id, e.Index, e.Text()), trail.Where{}}}
	}
}

// pipelined: a message stands after its predecessor.
func pipelined(b *book, h *history) []Finding {
	var out []Finding
	for id, in := range h.intents {
		mine := b.byKey[id]
		if in.after == "" || len(mine) == 0 {
			continue
		}
		prev := b.byKey[ident{id.conv, id.from, in.after}]
		if len(prev) > 0 && prev[0].Index < mine[0].Index {
			continue
		}
		at := "nowhere"
		if len(prev) > 0 {
			at = fmt.Sprint("at ", prev[0].Index)
		}
		out = append(out, Finding{Reordered, id.String(),
			fmt.Sprintf("%s stands at %d, its predecessor %s %s", id, mine[0].Index, in.after, at), in.where})
	}
	return out
}

// realTime: what somebody knew before a message was first sent stands before it.
func realTime(b *book, h *history) []Finding {
	type step struct {
		t     int64
		index int64
		begin bool // the message was first sent; else it became known
	}
	steps := map[string][]step{}
	for p, t := range h.known {
		steps[p.conv] = append(steps[p.conv], step{t, p.index, false})
	}
	for id, in := range h.intents {
		if e := b.byKey[id]; len(e) > 0 {
			steps[id.conv] = append(steps[id.conv], step{in.t, e[0].Index, true})
		}
	}
	var out []Finding
	for conv, s := range steps {
		slices.SortFunc(s, func(a, b step) int {
			if c := cmp.Compare(a.t, b.t); c != 0 || a.begin == b.begin {
				return c
			}
			if a.begin { // the same microsecond proves nothing
				return -1
			}
			return 1
		})
		var known int64
		for _, x := range s {
			if !x.begin {
				known = max(known, x.index)
				continue
			}
			if x.index <= known {
				out = append(out, Finding{Reordered, fmt.Sprint("time ", conv, x.index),
					fmt.Sprintf("chain %s: the message at %d was first sent when index %d was already known", short(conv), x.index, known), trail.Where{}})
			}
		}
	}
	return out
}

// freshness: a history page holds what was known before it was asked for.
func freshness(_ *book, h *history) []Finding {
	facts := map[string][]fact{}
	for p, t := range h.known {
		facts[p.conv] = append(facts[p.conv], fact{t, p.index})
	}
	for _, f := range facts {
		slices.SortFunc(f, func(a, b fact) int { return cmp.Compare(a.index, b.index) })
	}
	var out []Finding
	for _, a := range h.pages {
		f := facts[a.conv]
		from, _ := slices.BinarySearchFunc(f, a.last+1, func(x fact, i int64) int { return cmp.Compare(x.index, i) })
		for _, x := range f[from:] {
			if x.index >= a.upto {
				break
			}
			if x.t < a.t {
				out = append(out, Finding{WrongAnswers, "stale " + a.where.String(),
					fmt.Sprintf("a history page of %s ends at %d; index %d was known before it was asked for", short(a.conv), a.last, x.index), a.where})
				break
			}
		}
	}
	return out
}
