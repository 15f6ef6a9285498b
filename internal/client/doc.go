// Package client is a small Go client of the long link (docs/protocol.md). It
// connects, stays connected, and keeps its promises over any number of lost
// links and restarted servers.
//
// What it promises. A text handed to Send is sent until the server has
// answered for it, under the same key, so that it is stored once; texts of one
// conversation are stored in the order of their Sends. Every message to this
// user comes out of Messages once and in the order of his inbox, from the
// position that the Positions store had; gaps are found and pulled. Requests
// are repeated over lost links until their context ends. Everything is
// bounded: texts not yet answered (Send waits for room), requests under way,
// and messages not yet taken (what does not fit is pulled later).
//
// What it refuses. It does not keep unsent texts over its own end: after Close
// the outcome of an unanswered text is unknown. What was taken from Messages
// shortly before the process was killed may come again in the next process.
// It does not hand out the messages that it sent itself; their Sendings tell.
//
// How. One goroutine (see loop) owns all state and never blocks: it selects
// over what callers ask, what the link brings, and one timer. A link has a
// reader and a writer of its own. Retrying is go-back: a refusal puts the
// refused text and all after it, of its conversation, back in line, each
// naming its predecessor, so that the server cannot store them out of order.
package client
