// Package chat is the context of conversations as containers: their members,
// their messages, and the single chain that orders them.
//
// It promises that an index is decided by the records of one conversation in
// their order and by nothing else, so that a replay decides the same. It knows
// no store, no network and no clock: a record brings its time.
package chat

import (
	"crypto/sha256"
	"encoding/binary"
	"unicode/utf8"

	"github.com/merchantim/merchantim/domain"
)

// Kind is a type of message content.
type Kind uint8

// The kinds of today. Void stands for a record that could not be processed;
// from Created on they are made by the chain itself, and not counted.
const (
	Void     Kind = 0
	Text     Kind = 1
	Created  Kind = 2 // a group was made
	Members  Kind = 3 // members came or went
	Switched Kind = 4 // the diffusion changed
)

// Send is a message on its way in, as accepted. Body is the canonical content.
// Byte fields belong to the caller and are copied by whoever keeps them.
type Send struct {
	Conversation domain.ConversationID
	From         domain.UserID
	Key          []byte // the client's own id of the message, for deduplication
	After        []byte // key of the sender's message before it; empty: none named
	ID           domain.MessageID
	Kind         Kind
	Body         []byte
	At           int64 // unix microseconds, stamped when accepted
}

// Incoming is a message with where its answer goes.
type Incoming struct {
	Origin domain.Origin
	Send   Send
}

// Entry is one place of a single chain: all of a message but its body.
type Entry struct {
	Index uint64
	Pre   uint64
	N     uint64 // countable messages up to here
	ID    domain.MessageID
	From  domain.UserID
	Key   []byte
	Kind  Kind
	At    int64 // unix milliseconds, never lower than the entry before
	Hash  uint64
}

// Message is an entry with its body.
type Message struct {
	Entry
	Conversation domain.ConversationID
	Body         []byte
}

// Hash is the first 64 bits of the SHA-256 of kind and canonical body: it tells
// a repeated message from another one under the same key.
func Hash(kind Kind, body []byte) uint64 {
	h := sha256.Sum256(body)
	return binary.BigEndian.Uint64(h[:8]) ^ uint64(kind)*0x9e3779b97f4a7c15
}

// CheckText refuses text that is empty, longer than max bytes, or not UTF-8.
func CheckText(text []byte, max int) *domain.Error {
	switch {
	case len(text) == 0:
		return domain.Refuse(domain.Invalid, "The text is empty.")
	case len(text) > max:
		return domain.Refuse(domain.TooLarge, "The text has %d bytes; at most %d are taken.", len(text), max)
	case !utf8.Valid(text):
		return domain.Refuse(domain.Invalid, "The text is not valid UTF-8.")
	}
	return nil
}
