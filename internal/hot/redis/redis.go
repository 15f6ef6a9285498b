// Package redis keeps hot state on Redis or Valkey, for all nodes of a cluster:
// recent conversations, routes, posts between nodes, and rates.
//
// What it promises. The contract of hot, with everything bounded by expiry and
// by the servers' maxmemory (policy allkeys-lru). All of it may be wiped at any
// moment and only costs refilling. That holds for a part of it, too: recent sets
// that a restart or a fail-over may have cut short count as absent from then on.
//
// What it refuses. It repeats nothing after a lost answer that would count
// twice, keeps no post for a node that does not listen, and knows no user.
//
// DESIGN.md tells the layout and what was measured.
package redis

import (
	"context"
	"crypto/rand"
	_ "embed" // for the scripts
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/redisconn"
)

var (
	//go:embed recents.lua
	recentsText string

	recentsScript = redis.NewScript(recentsText)
)

// Options tune an engine; zero fields take the defaults that follow them.
type Options struct {
	Conn redisconn.Options
	// Prefix begins the name of every key and channel; no braces. "hot:"
	Prefix string
	// KeepRecents is how long a set lives that nobody reads; 24 h.
	KeepRecents time.Duration
	// Patience is how long a call is tried that servers refuse for now; 2 s.
	Patience time.Duration
}

// Engine implements the ports of hot. Make one with Open.
type Engine struct {
	opt    Options
	client *redisconn.Client
}

var _ hot.Recents = (*Engine)(nil)

// Open makes an engine. It dials when it is first used: hot state may be away
// when a node starts.
func Open(o Options) (*Engine, error) {
	if o.Prefix == "" {
		o.Prefix = "hot:"
	}
	if strings.ContainsAny(o.Prefix, "{}") {
		return nil, fmt.Errorf("hot: the prefix %q has braces", o.Prefix)
	}
	if o.KeepRecents <= 0 {
		o.KeepRecents = 24 * time.Hour
	}
	if o.Patience <= 0 {
		o.Patience = 2 * time.Second
	}
	client, err := redisconn.New(o.Conn)
	if err != nil {
		return nil, fmt.Errorf("hot: %w", err)
	}
	return &Engine{opt: o, client: client}, nil
}

// Close ends the connections.
func (e *Engine) Close() error { return e.client.Close() }

func (e *Engine) key(kind byte, name string) string {
	return e.opt.Prefix + redisconn.Tag(kind, name)
}

// run runs a script, again while may(err) allows it and patience lasts.
func (e *Engine) run(ctx context.Context, may func(error) bool, s *redis.Script, key string, args ...any) (*redis.Cmd, error) {
	tries := redisconn.Tries{For: e.opt.Patience}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		cmd := s.Run(ctx, e.client, []string{key}, args...)
		err := cmd.Err()
		if err == nil {
			return cmd, nil
		}
		if !may(err) {
			return nil, fmt.Errorf("hot: %w", err)
		}
		if redisconn.Elsewhere(err) {
			e.client.Relearn(ctx)
		}
		if !tries.Next(ctx) {
			return nil, fmt.Errorf("hot: %w", err)
		}
	}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func nonce() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
