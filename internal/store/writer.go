package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/kv"
)

// WriterOptions are the settings of a Writer.
type WriterOptions struct {
	FlushInterval      time.Duration // a pending generation is written this often
	FlushBytes         int64         // or when it has this many bytes; owners wait at twice that
	CheckpointInterval time.Duration // between two synced checkpoints
	// Durable waits until the records are durable whose effects are pending:
	// nothing is stored that the log might not have after a crash. nil: they are.
	Durable func(ctx context.Context) error
	Observe func(flush time.Duration)
	// Pause waits until a refused write is tried again, and between the parts of
	// a flush, or until ctx ends. nil: as long as it says.
	Pause func(ctx context.Context, d time.Duration) error
	Log   *slog.Logger
}

// Mark is the progress of the owner of one partition of the log.
type Mark struct {
	Topic     uint8
	Partition int32
	// Kept tells that the effects are in this store, so that the position is too.
	Kept        bool
	Incarnation func() uint32
	// Next is one past the last record whose effects are all pending or
	// written, and whose own appends to the log are durable.
	Next *atomic.Int64
	// Commit tells the log that everything below next survives a power loss.
	Commit func(next int64) error

	committed int64 // owned by Run
}

// Writer writes the pending generations. It has one goroutine, Run.
type Writer struct {
	store *Store
	opt   WriterOptions
	nudge chan struct{}
	soon  atomic.Bool // a checkpoint is due at the next flush

	mu      sync.Mutex
	marks   map[*Mark]bool // true: released
	written chan struct{}  // closed and replaced after each flush

	frozen *generation // owned by Run
}

// NewWriter makes the writer of a store.
func NewWriter(s *Store, opt WriterOptions) *Writer {
	if opt.Pause == nil {
		opt.Pause = sleep
	}
	return &Writer{
		store: s, opt: opt, nudge: make(chan struct{}, 1),
		marks: make(map[*Mark]bool), written: make(chan struct{}),
	}
}

// Register adds an owner's mark. After release, when its owner has ended, its
// progress is written and committed once more.
func (w *Writer) Register(m *Mark) (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marks[m] = false
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.marks[m] = true
	}
}

// CheckpointSoon asks for a checkpoint without waiting for its time: after a
// long replay, say, so that the next start need not repeat it.
func (w *Writer) CheckpointSoon() {
	w.soon.Store(true)
	select {
	case w.nudge <- struct{}{}:
	default:
	}
}

// Room waits until an owner may add to the pending generation.
func (w *Writer) Room(ctx context.Context) error {
	for {
		pending := w.store.PendingBytes()
		if pending < w.opt.FlushBytes {
			return nil
		}
		w.mu.Lock()
		written := w.written
		w.mu.Unlock()
		select {
		case w.nudge <- struct{}{}:
		default:
		}
		if pending < 2*w.opt.FlushBytes {
			return nil
		}
		select {
		case <-written:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lastFlush bounds the writes at the end; the log has what they leave out.
const lastFlush = 10 * time.Second

// Run writes until ctx ends, then once more, with a checkpoint. An error is
// final: another owner has changed the store, or it is damaged.
func (w *Writer) Run(ctx context.Context) error {
	tick := time.NewTicker(w.opt.FlushInterval)
	defer tick.Stop()
	last := time.Now()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-w.nudge:
		case <-ctx.Done():
		}
		due := w.soon.Swap(false) || time.Since(last) >= w.opt.CheckpointInterval
		if err := w.flush(ctx, due); err != nil && ctx.Err() == nil {
			return err
		}
		if due {
			last = time.Now()
		}
	}
	//nolint:contextcheck // the end must not cut short the writes that it asks for
	final, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
	defer cancel()
	if w.frozen != nil {
		if err := w.flush(final, false); err != nil {
			return err
		}
	}
	return w.flush(final, true)
}

// Flush writes the pending generation once, for who calls it in a time of his
// own instead of Run.
func (w *Writer) Flush(ctx context.Context, checkpoint bool) error { return w.flush(ctx, checkpoint) }

// maxIndexed keeps a batch of the index of dead letters far below the limits of
// the port.
const maxIndexed = 1000

type progress struct {
	mark     *Mark
	next     int64
	released bool
}

// generation is what one flush has to write; it survives an interrupted one.
type generation struct {
	batches []kv.Batch
	reached []progress
	bytes   int64
	pause   time.Duration
}

// freeze takes the active generation. Marks are read before: all that they
// cover is then in this generation or in an earlier one.
func (w *Writer) freeze() *generation {
	g := &generation{reached: w.progress(), bytes: w.store.bytes.Load()}
	// Inboxes are taken first and written last: no inbox is ever stored ahead of
	// the chains that it points into, not even if the log is lost.
	inboxes := w.store.Inboxes.freeze()
	var index []kv.Op // of dead letters
	for _, p := range w.store.Chains.freeze() {
		g.batches = p.batches(g.batches)
		index = p.indexed(index)
	}
	chains := len(g.batches)
	for _, p := range inboxes {
		g.batches = p.batches(g.batches)
	}
	if len(g.batches) > chains {
		g.batches[chains].Barrier = true
	}
	g.pause = w.pace(len(g.batches), g.bytes)
	if len(g.batches) == 0 {
		return g
	}
	for part := range slices.Chunk(index, maxIndexed) {
		g.batches = append(g.batches, kv.Batch{Partition: systemPartition, Ops: part, Barrier: true})
	}
	positions := kv.Batch{Partition: systemPartition, Barrier: true}
	for at, next := range w.reached(g.reached) {
		positions.Ops = append(positions.Ops, positionOp(at.topic, at.partition, next))
	}
	if len(positions.Ops) > 0 {
		g.batches = append(g.batches, positions)
	}
	return g
}

// reached are the positions up to which all effects will be stored. An owner that
// begins again stands before what its predecessor had stored, which stays true.
func (w *Writer) reached(marks []progress) map[place]domain.Position {
	all := make(map[place]domain.Position)
	for _, r := range marks {
		if !r.mark.Kept {
			continue
		}
		at := place{r.mark.Topic, r.mark.Partition}
		next := domain.Position{Incarnation: r.mark.Incarnation(), Offset: r.next}
		if w.store.floor[at].Before(next) {
			w.store.floor[at] = next
		}
		all[at] = w.store.floor[at]
	}
	return all
}

// flush writes one generation: the one left over by a flush that was cut
// short, else the active one.
func (w *Writer) flush(ctx context.Context, checkpoint bool) error {
	start := time.Now()
	if w.frozen == nil {
		w.frozen = w.freeze()
	}
	g := w.frozen
	some := len(g.batches) > 0
	if w.opt.Durable != nil {
		if err := w.opt.Durable(ctx); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	if err := w.write(ctx, g); err != nil {
		return err
	}
	w.store.Chains.pending.drop()
	w.store.Inboxes.pending.drop()
	w.store.bytes.Add(-g.bytes)
	w.frozen = nil
	w.mu.Lock()
	close(w.written)
	w.written = make(chan struct{})
	w.mu.Unlock()
	if w.opt.Observe != nil && some {
		w.opt.Observe(time.Since(start))
	}
	if !checkpoint {
		return nil
	}
	return w.checkpoint(ctx, g.reached)
}

func (w *Writer) progress() []progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	reached := make([]progress, 0, len(w.marks))
	for m, released := range w.marks {
		reached = append(reached, progress{m, m.Next.Load(), released})
	}
	return reached
}

func (w *Writer) checkpoint(ctx context.Context, reached []progress) error {
	var moved []progress
	for _, r := range reached {
		if r.next > r.mark.committed {
			moved = append(moved, r)
		}
	}
	defer w.forget(reached)
	if len(moved) == 0 {
		return nil
	}
	err := w.retry(ctx, "checkpoint", func() error { return w.store.kv.Checkpoint(ctx) })
	if err != nil {
		return err
	}
	for _, r := range moved {
		if err := r.mark.Commit(r.next); err != nil {
			return fmt.Errorf("store: commit: %w", err)
		}
		r.mark.committed = r.next
	}
	return nil
}

// forget drops the marks whose owners had ended before this checkpoint.
func (w *Writer) forget(reached []progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range reached {
		if r.released {
			delete(w.marks, r.mark)
		}
	}
}

// chunk is how many batches are written at once: enough to be cheap, few
// enough that nobody notices.
const chunk = 64

// pace spreads a flush over half of the interval unless memory is short.
func (w *Writer) pace(batches int, bytes int64) time.Duration {
	if bytes > w.opt.FlushBytes/2 {
		return 0
	}
	return w.opt.FlushInterval / 2 / time.Duration(batches/chunk+1)
}

func (w *Writer) write(ctx context.Context, g *generation) error {
	for len(g.batches) > 0 {
		n := min(chunk, len(g.batches))
		part := g.batches[:n]
		err := w.retry(ctx, "write", func() error {
			var err error
			part, err = w.undone(ctx, part, w.store.kv.Apply(ctx, part))
			return err
		})
		if err != nil {
			return err
		}
		if g.batches = g.batches[n:]; len(g.batches) > 0 && g.pause >= time.Millisecond {
			if err := w.opt.Pause(context.WithoutCancel(ctx), g.pause); err != nil {
				return err
			}
		}
	}
	return nil
}

// undone returns the batches to write again and the gravest error.
func (w *Writer) undone(ctx context.Context, batches []kv.Batch, errs []error) (again []kv.Batch, worst error) {
	for i, err := range errs {
		if errors.Is(err, kv.ErrConflict) {
			err = w.refused(ctx, batches[i:], err)
		}
		if err == nil {
			continue
		}
		again = append(again, batches[i])
		if worst == nil || errors.Is(worst, kv.ErrUnavailable) {
			worst = err
		}
	}
	return again, worst
}

// refused says what a conflict of the first batch means: nil if it had taken
// effect before, as a failed Apply may have. Its first operation sets the head,
// which no other batch sets to the same value; later batches of the partition may
// have moved the head on. A head that cannot be read now tells nothing yet.
func (w *Writer) refused(ctx context.Context, batches []kv.Batch, conflict error) error {
	first := &batches[0]
	value, err := w.store.kv.Get(ctx, first.Partition, first.Ops[0].Key)
	switch {
	case errors.Is(err, kv.ErrNotFound):
		return conflict
	case err != nil:
		return err
	}
	for i := range batches {
		b := &batches[i]
		if bytes.Equal(b.Partition, first.Partition) && bytes.Equal(value, b.Ops[0].Value) {
			return nil
		}
	}
	return conflict
}

// retry repeats what a store refuses for now, with growing pauses: pending
// state waits in memory, and its owners stop at the limit.
func (w *Writer) retry(ctx context.Context, what string, fn func() error) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := fn()
		if err == nil {
			return nil
		}
		if !errors.Is(err, kv.ErrUnavailable) {
			return fmt.Errorf("store: %s: %w", what, err)
		}
		w.opt.Log.Warn("store does not take writes; trying again", "what", what, "err", err)
		if err := w.opt.Pause(ctx, pause); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
