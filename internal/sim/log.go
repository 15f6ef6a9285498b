package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/stream"
)

// journal is a log of one life. What is appended waits in groups; the oldest is
// shown to early owners, written, synced, each when a step says so.
type journal struct {
	w       *world
	on      *spool
	next    map[place]int64
	queue   []*group // oldest first; the last one takes records unless sealed
	commits map[string][]int64
	last    map[place]int64 // offset of the newest record of the newest append
	full    bool            // no space
	err     error
}

// group is what one sync makes durable.
type group struct {
	recs    []stream.Record
	places  []place
	dones   []func(error)
	shown   int
	sealed  bool
	written bool
	commits map[string][]int64 // as of when it was written
}

var errSync = errors.New("sim: a sync failed")

// openJournal opens a log. Where the store is ahead, a new incarnation begins.
func openJournal(w *world, on *spool, floor map[place]stream.Position) *journal {
	j := &journal{w: w, on: on, next: make(map[place]int64), last: make(map[place]int64), commits: copied(on.commits)}
	highest, ahead := on.incarnation, false
	for at, f := range floor {
		newest := stream.Position{Incarnation: on.incarnation, Offset: on.parts[at].end - 1}
		ahead = ahead || newest.Before(f)
		highest = max(highest, f.Incarnation)
	}
	if ahead {
		w.tell("  the store is ahead of the log: incarnation %d", highest+1)
		on.incarnation = highest + 1
		for at, s := range on.parts {
			if f, ok := floor[at]; ok {
				j.raise(at, s, f.Offset+1)
			}
		}
		on.commits = copied(j.commits)
	}
	for at, s := range on.parts {
		j.next[at] = s.end
	}
	return j
}

// raise moves the end of a partition, and whoever had come to it.
func (j *journal) raise(at place, s *strand, end int64) {
	if end <= s.end {
		return
	}
	for _, g := range pipeline.Groups() {
		if c := j.commits[g.Name]; g.Topic == at.topic && c[at.partition] == s.end {
			c[at.partition] = end
		}
	}
	s.end = end
}

func copied(c map[string][]int64) map[string][]int64 {
	out := make(map[string][]int64, len(c))
	for g, next := range c {
		out[g] = slices.Clone(next)
	}
	return out
}

// Partitions implements stream.Log, as do the others.
func (j *journal) Partitions(topic stream.TopicID) int32 {
	n := int32(0)
	for at := range j.on.parts {
		if at.topic == topic {
			n++
		}
	}
	return n
}

// Append puts records into the youngest group.
func (j *journal) Append(topic stream.TopicID, recs []stream.Record, done func(error)) error {
	w := j.w
	switch {
	case j.err != nil:
		return j.err
	case len(recs) == 0 && len(j.queue) > 0: // told with what is pending, full or not
		g := j.queue[len(j.queue)-1]
		g.dones = append(g.dones, done)
		return nil
	case j.full:
		return fmt.Errorf("%w: no space", stream.ErrUnavailable)
	case len(recs) > 0 && w.cfg.faults && !w.calm && w.rng.IntN(40) == 0:
		return stream.ErrOverloaded
	}
	if n := len(j.queue); n == 0 || j.queue[n-1].sealed || j.queue[n-1].written {
		j.queue = append(j.queue, &group{})
	}
	g := j.queue[len(j.queue)-1]
	clear(j.last)
	for _, r := range recs {
		at := place{topic, r.Partition}
		j.last[at] = j.next[at]
		r.Position = stream.Position{Incarnation: j.on.incarnation, Offset: j.next[at]}
		r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
		g.recs, g.places = append(g.recs, r), append(g.places, at)
		j.next[at]++
	}
	if done != nil {
		g.dones = append(g.dones, done)
	}
	return nil
}

// Consume is not for here: the simulation assigns the partitions.
func (j *journal) Consume(context.Context, string, func(context.Context, stream.Partition) error) error {
	return errors.ErrUnsupported
}

// Stats tells what is pending.
func (j *journal) Stats() stream.Stats {
	s := stream.Stats{Lag: map[string]int64{}}
	for _, g := range j.queue {
		s.PendingBytes += int64(len(g.recs))
	}
	return s
}

// Failed is closed once the log has failed.
func (j *journal) Failed() <-chan struct{} {
	failed := make(chan struct{})
	if j.err != nil {
		close(failed)
	}
	return failed
}

// Err tells why the log has failed.
func (j *journal) Err() error { return j.err }

// Close syncs everything.
func (j *journal) Close() error {
	for len(j.queue) > 0 {
		j.sync()
	}
	j.on.commits = copied(j.commits)
	j.err = stream.ErrClosed
	return nil
}

// show hands what the oldest group has to early owners.
func (j *journal) show() bool {
	if len(j.queue) == 0 || j.full || j.queue[0].written || j.queue[0].shown == len(j.queue[0].recs) {
		return false
	}
	j.queue[0].shown = len(j.queue[0].recs)
	return true
}

// write hands the oldest group to the disk, which may keep it from here on.
func (j *journal) write() bool {
	if len(j.queue) == 0 || j.queue[0].written {
		return false
	}
	g := j.queue[0]
	g.written, g.commits = true, copied(j.commits)
	return true
}

// sync makes the oldest group durable and tells those who wait.
func (j *journal) sync() {
	j.write()
	g := j.queue[0]
	j.queue = j.queue[1:]
	j.on.keep(g)
	for _, done := range g.dones {
		done(nil)
	}
}

// reject is a write that failed: the group and all after it are taken back, and
// their offsets given again. What was shown cannot be taken back.
func (j *journal) reject() {
	if j.queue[0].shown > 0 {
		j.breakDown()
		return
	}
	lost := j.queue
	j.queue = nil
	for at, s := range j.on.parts {
		j.next[at] = s.end
	}
	for _, g := range lost {
		for _, done := range g.dones {
			done(fmt.Errorf("%w: no space", stream.ErrUnavailable))
		}
	}
}

// breakDown is a sync that failed: nothing can become durable any more.
func (j *journal) breakDown() {
	j.err = errSync
	for _, g := range j.queue {
		for _, done := range g.dones {
			done(errSync)
		}
	}
}

// crash leaves what is on the disk, and maybe what was on its way.
func (j *journal) crash() {
	w := j.w
	if len(j.queue) > 0 && j.queue[0].written && w.rng.IntN(2) == 0 {
		w.tell("  the group under way was written")
		j.on.keep(j.queue[0])
	}
	j.queue, j.err = nil, stream.ErrClosed
	if w.history.Flaw == Unreliable {
		j.on.lose(j.on.groups - 1)
	}
	if w.history.Flaw == Disobedient {
		for g, next := range j.on.commits {
			for p := range next {
				next[p] = j.on.parts[place{topicOf(g), int32(p)}].end
			}
		}
	}
}

func topicOf(group string) stream.TopicID {
	for _, g := range pipeline.Groups() {
		if g.Name == group {
			return g.Topic
		}
	}
	return 0
}

// durable reports whether a record can no longer be lost.
func (j *journal) durable(at place, offset int64) bool { return offset < j.on.parts[at].end }
