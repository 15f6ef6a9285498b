// Package check judges a torture run: it takes the trails of all clients and
// what the recovered server shows by its public API, and counts every place
// where the two, or the server with itself, do not fit.
//
// It promises that a clean verdict means: each message with a receipt stands
// in its chain exactly once, where the receipt and everyone who ever saw it
// say; chains keep the order of pipelining clients and of real time; each
// inbox is the projection of the chains; each list is what chains and reads
// make of it; a client that says that it has everything has it. The members of a
// group as of any index follow from the entries of its chain, and from these who
// was to get what. It knows nothing of how the server works and uses none of its
// code.
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
	Large         int                      // members above which a group is large; 0: not known
	Conversations map[string][2]string     // members of each direct conversation
	Groups        map[string]string        // of each group, the member who stays
	Chains        map[string][]trail.Entry // by conversation
	Inboxes       map[string][]trail.Entry // by user; entries need no content
	Lists         map[string][]trail.Row   // by user
	Ends          map[string]End           // by user
}

// End is what a user was told at the very last, with nothing under way.
type End struct {
	Pong   trail.Place
	Heads  []trail.HeadOf
	Behind bool // coming back a few entries behind, he was brought up to date
	Whole  bool // coming back with all there is, he was told so
}

// Run judges. An error means that a trail could not be read.
func Run(trails []Trail, state State) (Verdict, error) {
	b := newBook(state)
	walks, err := walkAll(b, trails)
	if err != nil {
		return Verdict{}, err
	}
	all := merge(b, walks)
	var found []Finding
	for _, w := range walks {
		found = append(found, w.findings...)
	}
	for _, part := range []func(*book, *history) []Finding{
		acked, numbering, stored, groups, pipelined, realTime, freshness, inboxes, lists, ends, deferred,
	} {
		found = append(found, part(b, all)...)
	}
	v := all.figures
	v.Stored, v.Entries, v.Switches = b.sizes()
	v.Counts, v.Findings = judge(found)
	return v, nil
}

// Settled reports whether the inboxes and lists have come as far as the
// chains, without judging whether they are right.
func Settled(s State) bool {
	b := newBook(s)
	for user, convs := range b.want {
		total := 0
		for _, entries := range convs {
			total += len(entries)
		}
		if len(s.Inboxes[user]) != total {
			return false
		}
		for _, row := range s.Lists[user] {
			todo := convs[row.Conversation]
			if !row.Large && len(todo) > 0 && row.Index != todo[len(todo)-1] {
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
