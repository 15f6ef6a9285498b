// Package check judges a torture run: it takes the trails of all clients and
// what the recovered server shows by its public API, and counts every place
// where the two, or the server with itself, do not fit.
//
// It promises that a clean verdict means: each message with a receipt stands
// in its chain exactly once, where the receipt and everyone who ever saw it
// say; chains keep the order of pipelining clients and of real time; each
// inbox is the projection of the chains; each list is what chains and reads
// make of it. It knows nothing of how the server works and uses none of its code.
//
// It refuses to excuse: what has no answer may or may not have happened, all
// else is held against the protocol's text.
package check

import (
	"fmt"
	"iter"
	"sync"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// Trail is the trail of one client.
type Trail struct {
	User   string
	Events iter.Seq2[trail.Event, error]
}

// State is what the server shows in the end, read from start to end.
type State struct {
	Epoch         string
	Conversations map[string][2]string     // members of each conversation
	Chains        map[string][]trail.Entry // by conversation
	Inboxes       map[string][]trail.Entry // by user; entries need no content
	Lists         map[string][]trail.Row   // by user
}

// Run judges. An error means that a trail could not be read.
func Run(trails []Trail, state State) (Verdict, error) {
	b := newBook(state)
	walks, err := walkAll(b, trails)
	if err != nil {
		return Verdict{}, err
	}
	all := merge(walks)
	var found []Finding
	for _, w := range walks {
		found = append(found, w.findings...)
	}
	for _, part := range []func(*book, *history) []Finding{
		acked, numbering, stored, pipelined, realTime, freshness, inboxes, lists,
	} {
		found = append(found, part(b, all)...)
	}
	v := all.figures
	v.Stored, v.Entries = b.sizes()
	v.Counts, v.Findings = judge(found)
	return v, nil
}

// Settled reports whether the inboxes and lists have come as far as the
// chains, without judging whether they are right.
func Settled(s State) bool {
	newest := map[string]int64{}
	for _, entries := range s.Chains {
		for _, e := range entries {
			newest[e.Conversation] = max(newest[e.Conversation], e.Index)
		}
	}
	want := map[string]int{}
	for conv, members := range s.Conversations {
		for _, user := range members {
			want[user] += len(s.Chains[conv])
		}
	}
	for user := range want {
		if len(s.Inboxes[user]) != want[user] {
			return false
		}
		for _, row := range s.Lists[user] {
			if row.Index != newest[row.Conversation] {
				return false
			}
		}
	}
	return true
}

// walkers is how many trails are read at once.
const walkers = 2

func walkAll(b *book, trails []Trail) ([]*walk, error) {
	walks := make([]*walk, len(trails))
	errs := make([]error, len(trails))
	var wg sync.WaitGroup
	free := make(chan struct{}, walkers)
	for i, t := range trails {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			walks[i] = newWalk(b, t.User)
			errs[i] = walks[i].run(t.Events)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("check: %w", err)
		}
	}
	return walks, nil
}
