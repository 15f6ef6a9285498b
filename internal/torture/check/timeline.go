package check

import (
	"cmp"
	"slices"
	"sort"
)

// fact is an index that was told at a time.
type fact struct{ t, index int64 }

// timeline are facts by time, each with the highest index up to then.
type timeline []fact

func newTimeline(facts []fact) timeline {
	slices.SortFunc(facts, func(a, b fact) int { return cmp.Or(cmp.Compare(a.t, b.t), cmp.Compare(a.index, b.index)) })
	for i := 1; i < len(facts); i++ {
		facts[i].index = max(facts[i].index, facts[i-1].index)
	}
	return facts
}

// before is the highest index told before t, 0 if none was.
func (l timeline) before(t int64) int64 {
	i := sort.Search(len(l), func(i int) bool { return l[i].t >= t })
	if i == 0 {
		return 0
	}
	return l[i-1].index
}

func (h *history) timelines(b *book, inboxes map[string][]fact) {
	h.inboxes, h.chains, h.begun = map[string]timeline{}, map[string]timeline{}, map[string]timeline{}
	for user, facts := range inboxes {
		h.inboxes[user] = newTimeline(facts)
	}
	known := map[string][]fact{}
	for p, t := range h.known {
		known[p.conv] = append(known[p.conv], fact{t, p.index})
	}
	for conv, facts := range known {
		h.chains[conv] = newTimeline(facts)
	}
	for conv := range b.groups {
		var begun []fact
		var latest int64
		for _, e := range b.state.Chains[conv] {
			if in, ok := h.intents[ident{conv, e.From, e.Key}]; ok {
				latest = max(latest, in.t)
			}
			begun = append(begun, fact{latest, e.Index})
		}
		h.begun[conv] = newTimeline(begun)
	}
}

// between are the standings that a group can have had at some time from t0 to
// t1: not older than what somebody knew before t0, and without messages that
// were first sent after t1.
func (h *history) between(g *group, conv string, t0, t1 int64) []standing {
	return g.between(h.chains[conv].before(t0), h.begun[conv].before(t1+1))
}
