package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/leveldb"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/usecase"
	"github.com/merchantim/merchantim/internal/vfs"
	"github.com/merchantim/merchantim/migrations"
)

// ErrOtherLayout: the files are those of another version.
var ErrOtherLayout = errors.New("the data has another layout; start this version's server once")

// Stopped gives use the files of a server that does not run, for as long as use
// takes; no server can start meanwhile. There is no log: only what reads the
// store works, and what a killed server had not yet written is not seen. In a
// folder without a store use is not called.
func Stopped(ctx context.Context, cfg config.Config, log *slog.Logger, use func(*usecase.Service) error) (err error) {
	dir := filepath.Join(cfg.Data, "kv")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	claim, err := admin.ClaimData(cfg.Data)
	if err != nil {
		return fmt.Errorf("app: %w", err)
	}
	defer func() { err = errors.Join(err, claim.Close()) }()
	db, err := leveldb.Open(vfs.OS(), dir, leveldb.Options{LazyLog: true, Logger: log})
	if err != nil {
		return fmt.Errorf("app: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	st, err := openStopped(ctx, db)
	if err != nil {
		return fmt.Errorf("app: %w", err)
	}
	return use(&usecase.Service{Store: st, Log: log})
}

func openStopped(ctx context.Context, db kv.Store) (*store.Store, error) {
	version, err := migrations.Version(ctx, db)
	if err != nil {
		return nil, err
	}
	if version != len(migrations.Steps()) {
		return nil, ErrOtherLayout
	}
	return store.Open(ctx, db)
}
