package pipeline

import (
	"context"

	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
)

// list keeps the recent order of the conversations of its partition's users in
// hot state. It has a group of its own, so that it never delays a push.
type list struct {
	recents    hot.Recents
	partition  int32
	partitions int32
	rec        record.Mixed
}

func (l *list) step(ctx context.Context, r *stream.Record) error {
	if err := record.DecodeMixed(r.Value, &l.rec); err != nil || l.rec.Kind != record.Extend {
		return nil //nolint:nilerr // mixed has counted it
	}
	item := hot.Item{Member: string(l.rec.Conversation[:]), Score: l.rec.Stamp}
	for _, c := range l.rec.Concerned {
		id := c.User
		if userPartition(id, l.partitions) != l.partition {
			continue
		}
		if err := l.recents.Touch(ctx, string(id), item); err != nil {
			return err
		}
	}
	return nil
}
