package sim

import (
	"slices"
	"sort"

	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/stream"
)

// place is a partition of a topic.
type place struct {
	topic     stream.TopicID
	partition int32
}

// spool is what a log has made durable.
type spool struct {
	incarnation uint32
	parts       map[place]*strand
	commits     map[string][]int64 // by group and partition
	groups      int                // written so far
}

// strand is one partition: the records still kept, and where the next one goes.
type strand struct {
	recs []stream.Record
	born []int // the group that each came with
	end  int64
}

func newSpool(topics []stream.Topic, groups []stream.Group) *spool {
	s := &spool{incarnation: 1, parts: make(map[place]*strand), commits: make(map[string][]int64)}
	for _, t := range topics {
		for p := range t.Partitions {
			s.parts[place{t.ID, p}] = &strand{}
		}
		for _, g := range groups {
			if g.Topic == t.ID {
				s.commits[g.Name] = make([]int64, t.Partitions)
			}
		}
	}
	return s
}

// keep makes a group durable.
func (s *spool) keep(g *group) {
	s.groups++
	for i, r := range g.recs {
		part := s.parts[g.places[i]]
		part.recs, part.born = append(part.recs, r), append(part.born, s.groups)
		part.end = r.Position.Offset + 1
	}
	s.commits = g.commits
}

// lose takes back all groups after one, as an older copy of the log would.
func (s *spool) lose(after int) {
	for at, part := range s.parts {
		n := sort.SearchInts(part.born, after+1)
		if n < len(part.recs) {
			part.end = part.recs[n].Position.Offset
			part.recs, part.born = part.recs[:n], part.born[:n]
		}
		for _, g := range pipeline.Groups() {
			if c := s.commits[g.Name]; g.Topic == at.topic {
				c[at.partition] = min(c[at.partition], part.end)
			}
		}
	}
	s.groups = after
}

// trim drops what all groups have committed and nobody is about to read, and
// reports whether there was any.
func (s *spool) trim(owners map[string][]*owner) (some bool) {
	for at, part := range s.parts {
		lowest := part.end
		for _, g := range pipeline.Groups() {
			if g.Topic == at.topic {
				lowest = min(lowest, s.commits[g.Name][at.partition])
				if o := owners[g.Name]; len(o) > 0 {
					lowest = min(lowest, o[at.partition].part.pos)
				}
			}
		}
		n := sort.Search(len(part.recs), func(i int) bool { return part.recs[i].Position.Offset >= lowest })
		part.recs, part.born = slices.Clone(part.recs[n:]), slices.Clone(part.born[n:])
		some = some || n > 0
	}
	return some
}

// over moves an offset over a gap between incarnations.
func (s *strand) over(offset int64) int64 {
	n := sort.Search(len(s.recs), func(i int) bool { return s.recs[i].Position.Offset >= offset })
	if n == len(s.recs) {
		return s.end
	}
	return s.recs[n].Position.Offset
}
