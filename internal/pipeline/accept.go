package pipeline

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
)

// Accept is the first stage: it puts requests into the log. It does not wait
// for the disk; single answers once the record is durable.
type Accept struct {
	log    stream.Log
	behind atomic.Int64 // records, of the slowest stage; see Watch
	busy   atomic.Bool  // set while the stages lag too far behind
	pool   sync.Pool
}

// busyFor is how long a client is asked to wait while the server is busy.
const busyFor = 500 * time.Millisecond

// NewAccept makes the stage.
func NewAccept(log stream.Log) *Accept {
	return &Accept{log: log, pool: sync.Pool{New: func() any { return new(acceptBuffer) }}}
}

type acceptBuffer struct {
	recs  []stream.Record
	arena []byte
	ends  []int
}

// Send hands messages to the log, in order, all or none. Everything is copied.
// A refusal means that none was taken. done (may be nil) is called once they
// are durable, or with the error if the log could not keep them after all; it
// must not block.
func (a *Accept) Send(in []chat.Incoming, done func(error)) *domain.Error {
	b, _ := a.pool.Get().(*acceptBuffer)
	defer a.pool.Put(b)
	b.recs, b.arena, b.ends = b.recs[:0], b.arena[:0], b.ends[:0]
	for i := range in {
		b.arena = record.AppendSend(b.arena, in[i].Origin, &in[i].Send)
		b.ends = append(b.ends, len(b.arena))
	}
	n, start := a.log.Partitions(record.SingleTopic), 0
	for i := range in {
		key := in[i].Send.Conversation[:]
		b.recs = append(b.recs, stream.Record{
			Partition: stream.PartitionOf(key, n), Key: key, Value: b.arena[start:b.ends[i]],
		})
		start = b.ends[i]
	}
	return a.append(record.SingleTopic, b.recs, done)
}

// Open hands the making of a conversation to the log.
func (a *Accept) Open(origin domain.Origin, id domain.ConversationID, from domain.UserID, at int64, members []domain.UserID) *domain.Error {
	return a.single(id, record.AppendOpen(nil, origin, from, at, members))
}

// Create hands the making of a group to the log.
func (a *Accept) Create(origin domain.Origin, id domain.ConversationID, g *chat.Creation) *domain.Error {
	return a.single(id, record.AppendCreate(nil, origin, g))
}

// Change hands a change of a group's members to the log.
func (a *Accept) Change(origin domain.Origin, id domain.ConversationID, c *chat.Changing) *domain.Error {
	return a.single(id, record.AppendChange(nil, origin, c))
}

func (a *Accept) single(id domain.ConversationID, value []byte) *domain.Error {
	return a.append(record.SingleTopic, []stream.Record{{
		Partition: conversationPartition(id, a.log.Partitions(record.SingleTopic)), Key: id[:], Value: value,
	}}, nil)
}

// Replay hands the wish to the log that a parked record be taken after all. What
// became of it stands beside the letter, by the wish's id.
func (a *Accept) Replay(id domain.ConversationID, at int64, wish domain.MessageID, letter domain.Place) *domain.Error {
	return a.single(id, record.AppendReplay(nil, domain.Origin{}, at, wish, letter))
}

// Read hands a read position to the log.
func (a *Accept) Read(m record.Mixed) *domain.Error {
	m.Kind = record.Read
	return a.append(record.MixedTopic, []stream.Record{{
		Partition: userPartition(m.User, a.log.Partitions(record.MixedTopic)),
		Key:       []byte(m.User),
		Value:     record.AppendMixed(nil, &m),
	}}, nil)
}

func (a *Accept) append(topic stream.TopicID, recs []stream.Record, done func(error)) *domain.Error {
	if a.busy.Load() {
		return overloaded()
	}
	if err := a.log.Append(topic, recs, done); err != nil {
		return refusal(err)
	}
	return nil
}

func overloaded() *domain.Error {
	return &domain.Error{Code: domain.Overloaded, Message: "The server is busy.", Retry: busyFor}
}

// refusal tells a client what the log said. All but a record too large are
// "outcome unknown": sending again tells.
func refusal(err error) *domain.Error {
	switch {
	case errors.Is(err, stream.ErrOverloaded):
		return overloaded()
	case errors.Is(err, stream.ErrTooLarge):
		return domain.Refuse(domain.TooLarge, "The message is too large.")
	}
	return domain.Refuse(domain.Unavailable, "The server cannot store messages now.")
}

// Watch marks the server as busy when a stage is more than maxLag records behind,
// until it has made up most of that, and while full reports true; until ctx ends.
func (a *Accept) Watch(ctx context.Context, maxLag int64, full func() bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		lag := int64(0)
		for _, n := range a.log.Stats().Lag {
			lag = max(lag, n)
		}
		a.behind.Store(lag)
		a.weigh(lag, maxLag, full())
	}
}

// Behind is how many records the slowest stage was behind when Watch last looked.
func (a *Accept) Behind() int64 { return a.behind.Load() }

// relief is the part of maxLag below which a busy server takes messages again.
// A stage that is far behind works more slowly: what it needs is no longer in
// memory. Taking messages as soon as it is one record below the limit would
// keep it there for as long as more are offered than it then manages.
const relief = 4

// weigh decides whether senders are asked to wait.
func (a *Accept) weigh(lag, maxLag int64, full bool) {
	if a.busy.Load() {
		maxLag /= relief
	}
	a.busy.Store(full || lag > maxLag)
}
