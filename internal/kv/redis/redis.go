// Package redis is the key-value engine of the cluster profile, on any
// persistent store that speaks the Redis protocol: Redis or Valkey with an
// append-only file, Kvrocks; one server, sentinels, or a cluster.
//
// What it promises beyond kv. What it sent once and whose answer was lost it
// does not send again: that is ErrUnavailable, and the caller looks what became
// of it. What a server refused (fail-over, loading, slots that moved) it tries
// again for Options.Patience. Identity names the processes that hold the data,
// so that a fail-over or a restart is noticed: whatever was applied shortly
// before may be lost then, unless the server syncs before it answers.
//
// What it refuses. In a cluster, order between partitions: the batches of one
// partition take effect in their order, those of others beside them, and after
// an error some of them may have; a Barrier is the exception. After a crash a
// prefix of each partition's batches is left, not of all. A server without a
// log that is synced gets no Checkpoint.
//
// DESIGN.md tells how it is laid out and what was measured.
package redis

import (
	"context"
	"crypto/rand"
	_ "embed" // for the scripts
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/redisconn"
)

var (
	//go:embed write.lua
	writeText string
	//go:embed scan.lua
	scanText string

	writeScript = redis.NewScript(writeText)
	scanScript  = redis.NewScript(scanText)
)

// Options tune a store; zero fields take the defaults that follow them.
type Options struct {
	Conn redisconn.Options
	// Prefix begins the name of every key, so that several may share a server;
	// no braces. "kv:"
	Prefix string
	// Patience is how long a call is tried that servers refuse for now; 5 s.
	Patience time.Duration

	// Replicas is how many of each master must have everything before a
	// Checkpoint is done; 0.
	Replicas int
	// TrustDisk makes a Checkpoint take for granted that the servers sync
	// before they answer: for those that cannot be asked (Kvrocks with
	// rocksdb.write_options.sync, managed stores).
	TrustDisk bool

	// Logger is told of fail-overs; nil: nobody.
	Logger *slog.Logger

	pageEntries, pageBytes int // of a scan; for tests
}

// Store is a kv.Store on Redis.
type Store struct {
	opt    Options
	client *redisconn.Client

	nonce    [8]byte // with calls: a version that no other batch has
	calls    atomic.Uint64
	trouble  chan struct{} // tells Watch that something went wrong
	written  atomic.Int64
	read     atomic.Int64
	diskSize atomic.Int64

	life   sync.RWMutex // held by calls while they talk to servers
	closed bool
}

var _ kv.Store = (*Store)(nil)

// Open makes a store and asks the servers whether they are there.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	if strings.ContainsAny(o.Prefix, "{}") {
		return nil, fmt.Errorf("kv: the prefix %q has braces", o.Prefix)
	}
	client, err := redisconn.New(o.Conn)
	if err != nil {
		return nil, fmt.Errorf("kv: %w", err)
	}
	s := &Store{opt: o, client: client, trouble: make(chan struct{}, 1)}
	_, _ = rand.Read(s.nonce[:]) // it never fails
	ping := func(ctx context.Context, server *redis.Client) error { return server.Ping(ctx).Err() }
	err = s.patiently(ctx, func() error { return client.Masters(ctx, ping) })
	if err != nil {
		_ = client.Close() // the first error tells
		return nil, fmt.Errorf("kv: open: %w", err)
	}
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Prefix == "" {
		o.Prefix = "kv:"
	}
	if o.Patience <= 0 {
		o.Patience = 5 * time.Second
	}
	if o.pageEntries <= 0 {
		o.pageEntries = 512
	}
	if o.pageBytes <= 0 {
		o.pageBytes = 1 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// begin holds the store open until done is called.
func (s *Store) begin(ctx context.Context) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return nil, kv.ErrClosed
	}
	return s.life.RUnlock, nil
}

// keys are the names of a partition's values and of their order.
func (s *Store) keys(partition []byte) []string {
	tag := s.opt.Prefix + redisconn.Tag('p', string(partition))
	return []string{tag + "v", tag + "o"}
}

// version is a name that no other change of a partition has.
func (s *Store) version() []byte {
	return binary.BigEndian.AppendUint64(s.nonce[:len(s.nonce):len(s.nonce)], s.calls.Add(1))
}

// Get implements kv.Store.
func (s *Store) Get(ctx context.Context, partition, key []byte) ([]byte, error) {
	if err := kv.CheckKey(partition, key); err != nil {
		return nil, err
	}
	done, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var value []byte
	err = s.patiently(ctx, func() error {
		var err error
		value, err = s.client.HGet(ctx, s.keys(partition)[0], string(key)).Bytes()
		return err
	})
	s.read.Add(int64(len(value)))
	return value, err
}

// patiently repeats what is harmless to repeat until a server answers.
func (s *Store) patiently(ctx context.Context, do func() error) error {
	tries := redisconn.Tries{For: s.opt.Patience}
	for {
		err := do()
		if !redisconn.Passing(err) {
			return portError(err)
		}
		s.troubled(ctx, err)
		if !tries.Next(ctx) {
			return interrupted(ctx, err)
		}
	}
}

// troubled looks for the cause of a passing fault: another server, perhaps.
func (s *Store) troubled(ctx context.Context, err error) {
	if redisconn.Elsewhere(err) {
		s.client.Relearn(ctx)
	}
	select {
	case s.trouble <- struct{}{}:
	default:
	}
}

// Stats implements kv.Store. Of the disk it knows what the last Checkpoint was
// told: the size of all masters' append-only files.
func (s *Store) Stats() kv.Stats {
	return kv.Stats{DiskBytes: s.diskSize.Load(), BytesWritten: s.written.Load(), BytesRead: s.read.Load()}
}

// closeWithin bounds the last Checkpoint.
const closeWithin = 10 * time.Second

// Close implements kv.Store.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	err := s.checkpoint(ctx)
	if cerr := s.client.Close(); err == nil && cerr != nil {
		err = portError(cerr)
	}
	return err
}
