// Package client is a Go client of docs/protocol.md. It connects, stays
// connected, and keeps its promises over any number of lost links and restarted
// servers; where the long link does not work, over the short one.
//
// What it promises. A text handed to Send is sent until the server has
// answered for it, under the same key, so that it is stored once; texts of one
// conversation are stored in the order of their Sends. Every message to this
// user comes out of Messages once, from the position that the Store had: those
// of the inbox in its order, those of a large group in the order of the group,
// and of any one conversation in its order also where it becomes large or
// ceases to be. Gaps are found and pulled, a lost last message too. The Store
// has what was handed over, and what this client sent itself. Requests are
// repeated over lost links until their context ends. Everything is bounded:
// texts not yet answered (Send waits for room), requests under way, messages
// not yet taken (what does not fit is pulled later), and what waits for a store
// that fails (then no more is handed out). What is kept for each conversation,
// one number, grows with the number of conversations that the user has.
//
// What it refuses. It does not keep unsent texts over its own end: after Close
// the outcome of an unanswered text is unknown. What was taken from Messages
// shortly before the process was killed may come again in the next process.
// It does not hand out the messages that it sent itself; their Sendings tell.
// Who is removed from a large group may miss what came just before. The short
// link is slower: one text of a conversation is under way at a time.
//
// How. One goroutine (see loop) owns all state and never blocks: it selects
// over what callers ask, what the link brings, and one timer. A link has
// goroutines of its own. What comes goes through the mailbox, which knows what
// is missing, and out in one line. Retrying is go-back: a refusal puts the
// refused text and all after it, of its conversation, back in line, each naming
// its predecessor, so that the server cannot store them out of order. A change
// of links is a lost link and a new one: what was under way is asked again.
package client
