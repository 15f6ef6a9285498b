package pipeline

import (
	"slices"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
)

// fanout gathers the mixed records of a batch: for each new entry one record a
// partition that holds the inbox of a member.
type fanout struct {
	recs  []stream.Record
	arena []byte
	ends  []int
	parts []int32
}

func (f *fanout) out(state *store.ChainState, e *chat.Entry, r *record.Single, partitions int32) {
	f.parts = f.parts[:0]
	for _, m := range state.Head.Members {
		if p := userPartition(m, partitions); !slices.Contains(f.parts, p) {
			f.parts = append(f.parts, p)
		}
	}
	if len(f.parts) == 0 {
		return
	}
	mixed := record.Mixed{
		Kind: record.Extend, At: r.Send.At, Conversation: state.ID, Index: e.Index, N: e.N, Stamp: e.At,
		Origin: domain.Origin{Node: r.Origin.Node, Conn: r.Origin.Conn},
		User:   e.From, Members: state.Head.Members,
	}
	f.arena = record.AppendMixed(f.arena, &mixed)
	for _, p := range f.parts {
		f.recs = append(f.recs, stream.Record{Partition: p, Key: state.ID[:]})
		f.ends = append(f.ends, len(f.arena))
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
