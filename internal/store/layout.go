// Package store keeps the domains' state over the kv port: chains, inboxes,
// users. Written once, for every engine.
//
// The way of a write. The stages change state in memory (the pending
// generation); answers do not wait for the store, because the log already has
// the record. About once a second the Writer takes the whole generation and
// writes it as runs: one key for all new entries of a chain, one for all new
// items of an inbox. Readers see pending and stored state as one. After a
// crash the log brings back what was pending: everything here is a function
// of the log's records, so a replay writes the same.
//
// What it refuses. It decides nothing: indices, permissions, duplicates are
// the domains' matter.
package store

import (
	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/enc"
)

// The keys of a conversation's partition.
const (
	keyHead    = 'h' // the chain's head
	keyRun     = 'c' // + index of the first entry: a run of entries
	keyBody    = 'b' // + index of the first entry: the bodies of that run
	keyPage    = 'd' // + page number: sealed fingerprints
	keyAged    = 'a' // + fingerprint + index: a fingerprint above chat.Window
	keyDead    = 'x' // + place in the log: a parked record, as it came
	keyVerdict = 'y' // + place in the log: what became of its replay
	keyMembers = 'm' // who is in it, its form and title
	keyChange  = 'g' // + index: what that entry changed of the members
	keyInbox   = 'i' // + index of the first item: a run of a user's inbox
	keyRow     = 'l' // + conversation: a row of a user's list
	keyUser    = 'p' // a user's profile
)

var headKey = []byte{keyHead}

func conversationPartition(id domain.ConversationID) []byte {
	return append([]byte{'c'}, id[:]...)
}

func userPartition(id domain.UserID) []byte { return append([]byte{'u'}, id...) }

// systemPartition holds what belongs to no entity: epoch, seed, positions, and
// under keyDead the index of all dead letters: the conversation of each.
var systemPartition = []byte("s")

func indexKey(kind byte, index uint64) []byte { return enc.U64([]byte{kind}, index) }

func agedKey(mark uint32, index uint64) []byte {
	return enc.U64(enc.U32([]byte{keyAged}, mark), index)
}

func rowKey(id domain.ConversationID) []byte { return append([]byte{keyRow}, id[:]...) }

// after is the smallest key above all keys that begin with prefix; the last
// byte of our prefixes is never 0xff.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
