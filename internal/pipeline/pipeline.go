// Package pipeline is a message's way: accept → single → mixed → push, list.
// One file a stage; DESIGN.md tells the whole.
//
// Stages are step functions: a record in, effects out, one goroutine an owner.
// Shells around them (run.go) read the log, repeat a step whose store failed,
// and note progress once effects are kept and appends are durable.
package pipeline

import (
	"context"
	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
)

// Consumer groups of the stages.
const (
	SingleGroup = "single"
	MixedGroup  = "mixed"
	ListGroup   = "list"
)

// Topics declares the topics with their numbers of partitions.
func Topics(single, mixed int32) []stream.Topic {
	return []stream.Topic{
		{ID: record.SingleTopic, Name: "single", Partitions: single},
		{ID: record.MixedTopic, Name: "mixed", Partitions: mixed},
	}
}

// Groups declares the consumer groups.
func Groups() []stream.Group {
	return []stream.Group{
		{Name: SingleGroup, Topic: record.SingleTopic, Early: true},
		{Name: MixedGroup, Topic: record.MixedTopic},
		{Name: ListGroup, Topic: record.MixedTopic},
	}
}

// Links are the connections of this process.
type Links interface {
	// Outbox returns a place for the answers and pushes of one owner.
	Outbox() Outbox
}

// Outbox takes answers and pushes for connections. Frames to one connection
// keep their order; Flush lets them be written. What has no connection here,
// or no longer one, is dropped. For one goroutine.
type Outbox interface {
	Sent(to domain.Origin, conversation domain.ConversationID, e *chat.Entry)
	Opened(to domain.Origin, conversation domain.ConversationID)
	// Changed answers a change of members: the index of its entry, 0 if nothing changed.
	Changed(to domain.Origin, conversation domain.ConversationID, index uint64)
	Done(to domain.Origin)
	Refused(to domain.Origin, why *domain.Error)
	// Online reports whether a user has a connection here.
	Online(user domain.UserID) bool
	// Push hands an inbox item to all connections of a user; a zero item is a
	// new head of a conversation that he follows. The connection that the
	// message came from learns its place only.
	Push(user domain.UserID, item user.Item, from domain.Origin, m *chat.Message)
	// Room waits while too much waits to be written to all connections together.
	// It does not wait for one that is stuck, and fails only when ctx ends.
	Room(ctx context.Context) error
	Flush()
}

// Observer is told what the stages do, for metrics. Its methods are cheap and
// may be called concurrently.
type Observer interface {
	Batch(stage string, records int)
	// Answered and Pushed get the time when the message was accepted, unix microseconds.
	Answered(accepted int64)
	Pushed(accepted int64)
	Repeated()
	Parked()
}

func position(p stream.Position) domain.Position {
	return domain.Position{Incarnation: p.Incarnation, Offset: p.Offset}
}

func conversationPartition(id domain.ConversationID, n int32) int32 {
	return stream.PartitionOf(id[:], n)
}

func userPartition(id domain.UserID, n int32) int32 { return stream.PartitionOf([]byte(id), n) }
