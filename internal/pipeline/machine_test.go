package pipeline_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/hot/memory"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/leveldb"
	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/usecase"
	"github.com/merchantim/merchantim/internal/vfs"
)

// machine is a computer with a disk. Servers run on it, one after the other.
type machine struct {
	t          testing.TB
	disk       *vfs.Mem
	wrapFS     func(vfs.FS) vfs.FS
	wrapLog    func(stream.Log) stream.Log // nil: as it is
	partitions int32
	writer     store.WriterOptions
	segment    int64
	batch      int
	eager      bool // the store writes its log with each batch, unsynced
	lives      int  // servers so far
	groups     chat.Limits
}

func newMachine(t testing.TB) *machine {
	return &machine{
		t: t, disk: vfs.NewMem(), partitions: 2, batch: 16, segment: 256 << 10,
		wrapFS: func(fs vfs.FS) vfs.FS { return fs },
		groups: chat.Limits{Members: 100, Large: 50},
		writer: store.WriterOptions{
			FlushInterval: 3 * time.Millisecond, FlushBytes: 1 << 20, CheckpointInterval: 10 * time.Millisecond, Log: quiet,
		},
	}
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// server is one life of the server: real stages over a real journal and store.
type server struct {
	t        testing.TB
	db       *leveldb.Store
	kv       *gate
	log      *journal.Log
	stream   stream.Log // as the stages see it
	store    *store.Store
	writer   *store.Writer
	accept   *pipeline.Accept
	svc      *usecase.Service
	links    *links
	watch    *watch
	life     int
	requests atomic.Int64

	stages, writers       errgroup.Group
	endStages, endWriters context.CancelFunc
}

// gate stands before the store and can make it fail.
type gate struct {
	kv.Store
	apply      func(ctx context.Context, b []kv.Batch) []error // nil: as it is
	mu         sync.Mutex
	dead       atomic.Bool
	unreadable atomic.Bool
	panics     atomic.Bool  // in the next read of a message
	refused    atomic.Int64 // reads
}

func (g *gate) fail(apply func(ctx context.Context, b []kv.Batch) []error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.apply = apply
}

func (g *gate) Get(ctx context.Context, partition, key []byte) ([]byte, error) {
	if key[0] == 'b' && g.panics.Swap(false) {
		panic("a defect")
	}
	if g.unreadable.Load() {
		g.refused.Add(1)
		return nil, kv.ErrUnavailable
	}
	return g.Store.Get(ctx, partition, key)
}

func (g *gate) Apply(ctx context.Context, b []kv.Batch) []error {
	if g.dead.Load() {
		return failAll(b, kv.ErrClosed)
	}
	g.mu.Lock()
	apply := g.apply
	g.mu.Unlock()
	if apply != nil {
		return apply(ctx, b)
	}
	return g.Store.Apply(ctx, b)
}

func (g *gate) Checkpoint(ctx context.Context) error {
	if g.dead.Load() {
		return kv.ErrClosed
	}
	return g.Store.Checkpoint(ctx)
}

func failAll(b []kv.Batch, err error) []error {
	errs := make([]error, len(b))
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// watch counts what the stages report.
type watch struct{ repeated, parked atomic.Int64 }

func (*watch) Batch(string, int) {}
func (*watch) Answered(int64)    {}
func (*watch) Pushed(int64)      {}
func (w *watch) Repeated()       { w.repeated.Add(1) }
func (w *watch) Parked()         { w.parked.Add(1) }

// open builds a server and does not run it yet.
func (m *machine) open(online ...domain.UserID) *server {
	t, ctx := m.t, m.t.Context()
	fs := m.wrapFS(m.disk)
	m.lives++
	s := &server{t: t, life: m.lives, links: newLinks(online...), watch: &watch{}}
	var err error
	s.db, err = leveldb.Open(fs, "kv", leveldb.Options{WriteBuffer: 64 << 10, BlockCache: 1 << 20, LazyLog: !m.eager})
	must(t, err)
	s.kv = &gate{Store: s.db}
	s.store, err = store.Open(ctx, s.kv)
	must(t, err)
	s.log, err = journal.Open(fs, "log", journal.Options{
		Topics: pipeline.Topics(m.partitions, m.partitions), Groups: pipeline.Groups(),
		SegmentBytes: m.segment, MaxRecordBytes: 32 << 10, SyncInterval: -1, Floor: floor(ctx, t, s.store), Logger: quiet,
	})
	must(t, err)
	s.stream = s.log
	if m.wrapLog != nil {
		s.stream = m.wrapLog(s.log)
	}
	must(t, s.store.Settle(ctx, s.log.Incarnation()))
	durable := func(ctx context.Context) error { return pipeline.Durable(ctx, s.log) }
	options := m.writer
	options.Durable = durable
	s.writer = store.NewWriter(s.store, options)
	s.accept = pipeline.NewAccept(s.log)
	s.svc = &usecase.Service{Accept: s.accept, Store: s.store, Recents: memory.New(memory.Options{MaxSets: 100, MaxItems: 10_000}), Groups: m.groups, Durable: durable, Log: quiet}
	return s
}

func floor(ctx context.Context, t testing.TB, s *store.Store) map[stream.TopicID]map[int32]stream.Position {
	floor := map[stream.TopicID]map[int32]stream.Position{record.SingleTopic: {}, record.MixedTopic: {}}
	must(t, s.Floor(ctx, func(topic uint8, partition int32, next domain.Position) {
		if next.Offset > 0 {
			floor[stream.TopicID(topic)][partition] = stream.Position{Incarnation: next.Incarnation, Offset: next.Offset - 1}
		}
	}))
	return floor
}

// stored is a chain's newest index in the store alone, without what is pending.
func (s *server) stored(conv domain.ConversationID) uint64 {
	s.t.Helper()
	alone, err := store.Open(s.t.Context(), s.kv)
	must(s.t, err)
	head, err := alone.Chains.Head(s.t.Context(), conv)
	must(s.t, err)
	return head.Last
}

// start runs a server and waits until it has caught up.
func (m *machine) start(online ...domain.UserID) *server {
	m.t.Helper()
	s := m.open(online...)
	caught := s.run(m.batch)
	select {
	case <-caught:
	case <-time.After(30 * time.Second):
		m.t.Fatal("the server never caught up")
	}
	return s
}

// run lets the stages and the writer work; caught is closed when they have caught up.
func (s *server) run(batch int) (caught chan struct{}) {
	caught = make(chan struct{})
	work, endStages := context.WithCancel(context.Background())
	write, endWriters := context.WithCancel(context.Background())
	s.endStages, s.endWriters = endStages, endWriters
	stages := &pipeline.Stages{
		Log: s.stream, Store: s.store, Writer: s.writer, Recents: s.svc.Recents, Links: s.links, Watch: s.watch,
		Incarnation: s.store.Incarnation, Batch: batch, Logger: quiet,
	}
	s.stages.Go(func() error { return stages.Run(work, func() { close(caught) }) })
	s.writers.Go(func() error { return s.writer.Run(write) })
	return caught
}

// stop ends a server in order.
func (s *server) stop() {
	s.t.Helper()
	s.endStages()
	must(s.t, s.stages.Wait())
	s.endWriters()
	must(s.t, s.writers.Wait())
	must(s.t, errors.Join(s.log.Close(), s.db.Close()))
}

// kill cuts the power. The machine goes on with what its disk has kept.
func (m *machine) kill(s *server, rng *mathrand.Rand) {
	s.kv.dead.Store(true)
	m.disk = m.disk.Crash(rng)
	s.endStages()
	_ = s.stages.Wait()
	s.endWriters()
	_ = s.writers.Wait()
	_ = s.log.Close()
	_ = s.db.Close()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) origin() (domain.Origin, string) {
	request := fmt.Sprintf("%d.%d", s.life, s.requests.Add(1))
	return domain.Origin{Node: 1, Conn: 1, Request: []byte(request)}, request
}

// talk opens the conversation of two users.
func (s *server) talk(a, b domain.UserID) domain.ConversationID {
	s.t.Helper()
	must(s.t, s.store.Users.Ensure(s.t.Context(), a, b))
	origin, request := s.origin()
	if refusal := s.svc.Open(s.t.Context(), origin, a, b); refusal != nil {
		s.t.Fatal(refusal)
	}
	return s.links.answer(s.t, request).conv
}

// message is a text with an id of its own.
func message(conv domain.ConversationID, from domain.UserID, key, after, text string, at int64) chat.Send {
	var id domain.MessageID
	_, _ = rand.Read(id[:])
	return chat.Send{
		Conversation: conv, From: from, Key: []byte(key), After: []byte(after),
		ID: id, Kind: chat.Text, Body: []byte(text), At: at,
	}
}

// hand gives a message to the log and returns its request.
func (s *server) hand(m chat.Send) string {
	s.t.Helper()
	origin, request := s.origin()
	if refusal := s.svc.Send([]chat.Incoming{{Origin: origin, Send: m}}, nil); refusal != nil {
		s.t.Fatal(refusal)
	}
	return request
}

// post hands a message of now to the log and returns its request.
func (s *server) post(conv domain.ConversationID, from domain.UserID, key, after, text string) string {
	s.t.Helper()
	return s.hand(message(conv, from, key, after, text, time.Now().UnixMicro()))
}

// sendAt sends a message of another time, in unix microseconds.
func (s *server) sendAt(conv domain.ConversationID, from domain.UserID, key string, at int64) answer {
	s.t.Helper()
	return s.links.answer(s.t, s.hand(message(conv, from, key, "", "text", at)))
}

// send posts a message and waits for its answer.
func (s *server) send(conv domain.ConversationID, from domain.UserID, key, after, text string) answer {
	s.t.Helper()
	return s.links.answer(s.t, s.post(conv, from, key, after, text))
}

// read moves a read position and waits for the answer.
func (s *server) read(conv domain.ConversationID, me domain.UserID, index uint64) {
	s.t.Helper()
	origin, request := s.origin()
	if refusal := s.svc.Read(s.t.Context(), origin, me, conv, index); refusal != nil {
		s.t.Fatal(refusal)
	}
	s.links.answer(s.t, request)
}

// raw appends a record as it is to the log, as an older or newer program might
// have, or a defect.
func (s *server) raw(conv domain.ConversationID, value []byte) {
	s.t.Helper()
	n := s.log.Partitions(record.SingleTopic)
	durable := make(chan error, 1)
	must(s.t, s.log.Append(record.SingleTopic, []stream.Record{{
		Partition: stream.PartitionOf(conv[:], n), Key: conv[:], Value: value,
	}}, func(err error) { durable <- err }))
	must(s.t, <-durable)
}

// eventually waits until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s", what)
		}
	}
}

// settle waits until a user's inbox has n items.
func (s *server) settle(u domain.UserID, n uint64) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("item %d in the inbox of %s", n, u), func() bool {
		last, refusal := s.svc.Newest(s.t.Context(), u)
		if refusal != nil {
			s.t.Fatal(refusal)
		}
		return last.Inbox >= n
	})
}
