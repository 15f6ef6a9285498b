package sim

import (
	"context"
	"sort"

	"github.com/merchantim/merchantim/internal/stream"
)

// assigned is a partition in the hands of its owner.
type assigned struct {
	j          *journal
	group      stream.Group
	at         place
	start, end int64
	pos        int64
}

func (j *journal) assign(g stream.Group, partition int32) *assigned {
	at := place{g.Topic, partition}
	part := j.on.parts[at]
	start := part.over(j.commits[g.Name][partition])
	end := start
	if n := len(part.recs); n > 0 {
		end = max(end, part.recs[n-1].Position.Offset+1)
	}
	if start >= part.end {
		end = part.end
	}
	return &assigned{j: j, group: g, at: at, start: start, pos: start, end: end}
}

// ID implements stream.Partition, as do the others.
func (a *assigned) ID() int32 { return a.at.partition }

// Start is where reading begins.
func (a *assigned) Start() int64 { return a.start }

// End is what was durable when it was assigned.
func (a *assigned) End() int64 { return a.end }

// Next returns what is at hand, and does not wait.
func (a *assigned) Next(_ context.Context, buf []stream.Record, limit int) ([]stream.Record, error) {
	part := a.j.on.parts[a.at]
	from := sort.Search(len(part.recs), func(i int) bool { return part.recs[i].Position.Offset >= a.pos })
	buf = append(buf, part.recs[from:min(len(part.recs), from+limit)]...)
	if from+limit >= len(part.recs) && len(a.j.queue) > 0 {
		g := a.j.queue[0]
		visible := g.shown
		if !a.group.Early {
			visible = 0
		}
		if a.j.w.history.Flaw == Hasty {
			visible = len(g.recs)
		}
		for i := range g.recs[:visible] {
			if r := g.recs[i]; g.places[i] == a.at && r.Position.Offset >= a.pos && len(buf) < limit {
				buf = append(buf, r)
			}
		}
	}
	if n := len(buf); n > 0 {
		a.pos = buf[n-1].Position.Offset + 1
	}
	return buf, nil
}

// Commit notes progress, which becomes durable with a later group.
func (a *assigned) Commit(next int64) error {
	next = a.j.on.parts[a.at].over(next)
	c := a.j.commits[a.group.Name]
	c[a.at.partition] = max(c[a.at.partition], next)
	return nil
}
