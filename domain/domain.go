// Package domain is the kernel that every context shares: identifiers,
// positions and coded errors. It imports the standard library only, and the
// contexts below it import nothing else of this module.
package domain

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// UserID names a user: 1 to 64 characters of a-z A-Z 0-9 . _ -
type UserID string

// ConversationID names a conversation; on the wire it is a UUID in text.
type ConversationID [16]byte

// MessageID names a message for ever; a UUID of version 7. Order is told by
// the index in the conversation, never by the id.
type MessageID [16]byte

// DirectID is the conversation of exactly two users, the same whoever opens
// it: a UUID of version 8 made of a SHA-256 over both names in order.
func DirectID(a, b UserID) ConversationID {
	if b < a {
		a, b = b, a
	}
	sum := sha256.Sum256([]byte("direct\x00" + string(a) + "\x00" + string(b)))
	id := ConversationID(sum[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Position is a record's place in its partition of the log. A later
// incarnation is after every position of an earlier one.
type Position struct {
	Incarnation uint32
	Offset      int64
}

// Before reports whether p is earlier than q.
func (p Position) Before(q Position) bool {
	if p.Incarnation != q.Incarnation {
		return p.Incarnation < q.Incarnation
	}
	return p.Offset < q.Offset
}

// Origin is where a request came from and where its answer goes: a process, a
// connection of it, and the request's own id. The zero origin wants no answer.
type Origin struct {
	Node    uint32
	Conn    uint64
	Request []byte
}

// Code tells a client what kind of refusal it met.
type Code string

// The codes; docs/protocol.md says what a client does about each.
const (
	Invalid            Code = "invalid"
	Unauthenticated    Code = "unauthenticated"
	Forbidden          Code = "forbidden"
	NotFound           Code = "not_found"
	Conflict           Code = "conflict"
	PredecessorMissing Code = "predecessor_missing"
	TooLarge           Code = "too_large"
	Overloaded         Code = "overloaded"
	Unavailable        Code = "unavailable"
	Internal           Code = "internal"
)

// Error is a refusal with its code and a text for people. Retry is how long a
// client should wait, for Overloaded.
type Error struct {
	Code    Code
	Message string
	Retry   time.Duration
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Refuse makes an Error.
func Refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf is the code of an error: its own, or Internal.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}
