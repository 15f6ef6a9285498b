package pipeline

import (
	"context"
	"errors"
	"sync"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
)

// held is the outbox of an owner that may see records before they are durable:
// its answers wait until everything before them is. A goroutine of its own, run,
// lets them out in order, and alone uses the real outbox.
type held struct {
	Outbox
	watch Observer
	log   stream.Log
	batch []answer // of the owner

	mu      sync.Mutex
	waiting int // batches that are not durable yet
	durable [][]answer
	spare   [][]answer
	news    chan struct{}
}

// answer is one that waits. Its byte fields are views of the record, which stays
// as it is.
type answer struct {
	kind         answerKind
	to           domain.Origin
	conversation domain.ConversationID
	entry        chat.Entry // Changed: only the index
	why          *domain.Error
	accepted     int64
}

type answerKind uint8

const (
	sent answerKind = iota
	opened
	changed
	refused
	answered // no answer: the time of one
)

func newHeld(log stream.Log, out Outbox, watch Observer) *held {
	return &held{Outbox: out, watch: watch, log: log, news: make(chan struct{}, 1)}
}

// Sent implements Outbox, as do the others.
func (h *held) Sent(to domain.Origin, conversation domain.ConversationID, e *chat.Entry) {
	h.batch = append(h.batch, answer{kind: sent, to: to, conversation: conversation, entry: *e})
}

// Opened answers an open or a create.
func (h *held) Opened(to domain.Origin, conversation domain.ConversationID) {
	h.batch = append(h.batch, answer{kind: opened, to: to, conversation: conversation})
}

// Changed answers a change of members.
func (h *held) Changed(to domain.Origin, conversation domain.ConversationID, index uint64) {
	h.batch = append(h.batch, answer{kind: changed, to: to, conversation: conversation, entry: chat.Entry{Index: index}})
}

// Refused answers what was not taken.
func (h *held) Refused(to domain.Origin, why *domain.Error) {
	h.batch = append(h.batch, answer{kind: refused, to: to, why: why})
}

// heldWatch notes the time of an answer when it goes out.
type heldWatch struct {
	Observer
	held *held
}

func (w heldWatch) Answered(accepted int64) {
	w.held.batch = append(w.held.batch, answer{kind: answered, accepted: accepted})
}

// Flush lets the answers go out once they are true.
func (h *held) Flush() {
	if len(h.batch) == 0 {
		return
	}
	batch := h.batch
	h.mu.Lock()
	h.batch = nil
	h.waiting++
	if n := len(h.spare); n > 0 {
		h.batch, h.spare = h.spare[n-1], h.spare[:n-1]
	}
	h.mu.Unlock()
	WhenDurable(h.log, func(err error) { h.release(batch, err) })
}

// release lets a batch out, or drops it if the log has failed.
func (h *held) release(batch []answer, err error) {
	h.mu.Lock()
	h.waiting--
	if err == nil {
		h.durable = append(h.durable, batch)
	}
	h.mu.Unlock()
	select {
	case h.news <- struct{}{}:
	default:
	}
}

// run lets answers out until ctx ends, and then those that still wait: whoever
// takes the records again is silent.
func (h *held) run(ctx context.Context) {
	ending := ctx.Done()
	for waiting := 0; ending != nil || waiting > 0; {
		select {
		case <-h.news:
		case <-ending:
			ending = nil
		}
		waiting = h.letOut()
	}
}

// letOut lets out what is durable and returns how many batches are not.
func (h *held) letOut() (waiting int) {
	h.mu.Lock()
	ready := h.durable
	h.durable, waiting = nil, h.waiting
	h.mu.Unlock()
	for _, batch := range ready {
		for i := range batch {
			h.let(&batch[i])
		}
	}
	h.Outbox.Flush()
	h.recycle(ready)
	return waiting
}

// maxSpareAnswers keeps a batch that one burst made large from staying so.
const maxSpareAnswers = 1024

func (h *held) recycle(batches [][]answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range batches {
		if clear(b); cap(b) <= maxSpareAnswers && len(h.spare) < 4 {
			h.spare = append(h.spare, b[:0])
		}
	}
}

func (h *held) let(a *answer) {
	switch a.kind {
	case sent:
		h.Outbox.Sent(a.to, a.conversation, &a.entry)
	case opened:
		h.Outbox.Opened(a.to, a.conversation)
	case changed:
		h.Outbox.Changed(a.to, a.conversation, a.entry.Index)
	case refused:
		h.Outbox.Refused(a.to, a.why)
	case answered:
		h.watch.Answered(a.accepted)
	}
}

// WhenDurable calls done, from any goroutine, once all that the owner of an
// early group was handed so far is durable, or with the log's failure if it
// never will be. A log that refuses records for now has written what it handed
// out.
func WhenDurable(log stream.Log, done func(error)) {
	told := func(err error) {
		if err != nil && !errors.Is(err, stream.ErrClosed) {
			err = log.Err()
		}
		done(err)
	}
	if err := log.Append(record.SingleTopic, nil, told); err != nil {
		told(err)
	}
}

// Durable waits until whatever the stages have done so far is durable: before,
// nobody may be told of it, and nothing of it may be stored.
func Durable(ctx context.Context, log stream.Log) error {
	if log.Stats().PendingBytes == 0 {
		return nil
	}
	durable := make(chan error, 1)
	WhenDurable(log, func(err error) { durable <- err })
	select {
	case err := <-durable:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
