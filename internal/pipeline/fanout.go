package pipeline

import (
	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
)

// fanout gathers the mixed records of a batch: what follows from each new entry
// for the inboxes and the connections of the members as of its index.
type fanout struct {
	partitions int32 // of the mixed topic

	recs      []stream.Record
	arena     []byte
	ends      []int // in arena, of the value of each record
	key       []byte
	mixed     record.Mixed
	concerned []record.Concerned
	parts     []bool // partitions that the current chunk has somebody in
}

// chunk is how many users one record tells of: far below the log's limit.
const chunk = 500

// out gathers what follows from an entry. members and large are as of its
// index; ch is what the entry itself changed, nil for a message or a void.
func (f *fanout) out(state *store.ChainState, e *chat.Entry, r *record.Single, members []chat.Member, d chat.Diffusion, ch *chat.Change) {
	f.key = state.ID[:]
	m := &f.mixed
	*m = record.Mixed{
		Kind: record.Extend, At: r.Send.At, Conversation: state.ID, Index: e.Index, N: e.N, Stamp: e.At,
		Origin: domain.Origin{Node: r.Origin.Node, Conn: r.Origin.Conn},
		Group:  state.Head.Form == chat.Group, Large: d == chat.Read,
	}
	follow := d == chat.Read
	if ch != nil {
		m.Origin = domain.Origin{} // who asked sees the entry like the others
		m.Title = state.Head.Title
		follow = ch.Before == chat.Read && ch.After == chat.Read
	} else if e.Kind == chat.Text {
		m.User = e.From
	}
	f.concerned = concerned(f.concerned[:0], members, ch, follow)
	for rest := f.concerned; len(rest) > 0; {
		n := min(len(rest), chunk)
		m.Concerned, rest = rest[:n], rest[n:]
		f.extend()
	}
	if follow {
		m.Kind = record.Follow
		f.follow()
	}
}

// concerned lists who gets an inbox entry: all members, or, where they follow
// the head, only those who come or go.
func concerned(dst []record.Concerned, members []chat.Member, ch *chat.Change, follow bool) []record.Concerned {
	var joined, left []chat.Member
	if ch != nil {
		joined, left = ch.Joined, ch.Left
	}
	if follow {
		members = joined
	}
	for _, m := range members {
		part := record.Stays
		if _, new := chat.Find(joined, m.ID); new {
			part = record.Joins
		}
		dst = append(dst, record.Concerned{User: m.ID, Part: part})
	}
	for _, m := range left {
		dst = append(dst, record.Concerned{User: m.ID, Part: record.Goes})
	}
	return dst
}

// extend adds the record of a chunk for each partition that holds an inbox of it.
func (f *fanout) extend() {
	f.parts = append(f.parts[:0], make([]bool, f.partitions)...)
	for _, c := range f.mixed.Concerned {
		f.parts[userPartition(c.User, f.partitions)] = true
	}
	f.add()
}

// follow adds the record of a new head for the partition of the conversation,
// and for that of the sender.
func (f *fanout) follow() {
	f.parts = append(f.parts[:0], make([]bool, f.partitions)...)
	f.parts[conversationPartition(f.mixed.Conversation, f.partitions)] = true
	if f.mixed.User != "" {
		f.parts[userPartition(f.mixed.User, f.partitions)] = true
	}
	f.add()
}

func (f *fanout) add() {
	f.arena = record.AppendMixed(f.arena, &f.mixed)
	for p, has := range f.parts {
		if has {
			f.recs = append(f.recs, stream.Record{Partition: int32(p), Key: f.key})
			f.ends = append(f.ends, len(f.arena))
		}
	}
}

// take returns the records gathered since the last call; they are valid until
// the next out.
func (f *fanout) take() []stream.Record {
	start, last := 0, 0
	for i, end := range f.ends {
		if end != last {
			start, last = last, end
		}
		f.recs[i].Value = f.arena[start:end]
	}
	recs := f.recs
	f.recs, f.arena, f.ends = f.recs[:0], f.arena[:0], f.ends[:0]
	return recs
}
