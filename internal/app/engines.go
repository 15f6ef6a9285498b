package app

import (
	"context"
	"fmt"

	"github.com/merchantim/merchantim/domain"
	hotmemory "github.com/merchantim/merchantim/internal/hot/memory"
	"github.com/merchantim/merchantim/internal/kv/leveldb"
	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/migrations"
)

// openEngines opens the embedded profile: the store first, since it says how
// far the log must at least reach.
func (a *App) openEngines(p *parts) error {
	cfg, ctx := &a.cfg, context.Background()
	db, err := leveldb.Open(p.fs, a.path("kv"), leveldb.Options{
		WriteBuffer: int(cfg.Store.WriteBuffer), BlockCache: int(cfg.Store.BlockCache), LazyLog: true, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.kv = db
	if p.wrapKV != nil {
		a.kv = p.wrapKV(db)
	}
	if _, err := migrations.Run(ctx, a.kv, migrations.Steps()); err != nil {
		return err
	}
	if a.store, err = store.Open(ctx, a.kv); err != nil {
		return err
	}
	floor, err := a.floor(ctx)
	if err != nil {
		return err
	}
	log, err := journal.Open(p.fs, a.path("log"), journal.Options{
		Topics:       pipeline.Topics(cfg.Pipeline.SinglePartitions, cfg.Pipeline.MixedPartitions),
		Groups:       pipeline.Groups(),
		SegmentBytes: int64(cfg.Journal.SegmentBytes), SyncInterval: cfg.Journal.SyncInterval,
		MaxPendingBytes: int64(cfg.Journal.MaxPendingBytes), MaxDiskBytes: int64(cfg.Journal.MaxDiskBytes),
		TailBytes: int64(cfg.Journal.TailBytes), Floor: floor, Logger: a.log,
		OnSync: func(s journal.Sync) { a.metrics.SyncSeconds.Observe(s.Took.Seconds()) },
	})
	if err != nil {
		return err
	}
	a.stream = log
	if p.wrapLog != nil {
		a.stream = p.wrapLog(log)
	}
	if err := a.store.Settle(ctx, log.Incarnation()); err != nil {
		return err
	}
	a.recents = hotmemory.New(hotmemory.Options{MaxSets: 10_000, MaxItems: 1_000_000})
	if p.wrapRecent != nil {
		a.recents = p.wrapRecent(a.recents)
	}
	return nil
}

// floor is the newest position of each partition whose effects are stored.
func (a *App) floor(ctx context.Context) (map[stream.TopicID]map[int32]stream.Position, error) {
	floor := make(map[stream.TopicID]map[int32]stream.Position)
	err := a.store.Floor(ctx, func(topic uint8, partition int32, next domain.Position) {
		if next.Offset == 0 {
			return
		}
		id := stream.TopicID(topic)
		if floor[id] == nil {
			floor[id] = make(map[int32]stream.Position)
		}
		floor[id][partition] = stream.Position{Incarnation: next.Incarnation, Offset: next.Offset - 1}
	})
	if err != nil {
		return nil, fmt.Errorf("positions: %w", err)
	}
	return floor, nil
}

// users makes users for the admin listener.
type users struct{ store *store.Users }

// Ensure makes users that do not exist.
func (u users) Ensure(ctx context.Context, names []string) error {
	ids := make([]domain.UserID, len(names))
	for i, n := range names {
		ids[i] = domain.UserID(n)
	}
	return u.store.Ensure(ctx, ids...)
}
