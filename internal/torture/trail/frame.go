// Package trail is what the torture's clients write down: for each client one
// file of JSON lines with every intent, every raw frame sent and received, and
// every link that rose and fell, in the order in which the client saw them.
//
// It decodes frames with encoding/json into one struct, on purpose apart from
// the codec of the server and of the client library: a mistake shared by both
// sides of a connection would otherwise never be seen.
package trail

import (
	"encoding/json"
	"strconv"
)

// Place is a place in an inbox, with Pre. In hello, welcome and pong it is a
// position: Heads is the sum of the large groups' heads there, Epoch (in hello)
// the numbering that all of it is of.
type Place struct {
	Epoch string `json:"epoch,omitempty"`
	Index int64  `json:"index"`
	Pre   int64  `json:"pre,omitempty"`
	Heads int64  `json:"heads,omitempty"`
}

// Entry is a MESSAGE of the protocol; Inbox is set where it came as a part of
// somebody's inbox. In an error frame, Message is its text.
type Entry struct {
	Inbox        *Place   `json:"inbox,omitempty"`
	Conversation string   `json:"conversation,omitempty"`
	Index        int64    `json:"index,omitempty"`
	Pre          int64    `json:"pre,omitempty"`
	N            int64    `json:"n,omitempty"`
	Message      string   `json:"message,omitempty"`
	From         string   `json:"from,omitempty"`
	Key          string   `json:"key,omitempty"`
	At           int64    `json:"at,omitempty"`
	Content      *Content `json:"content,omitempty"`
}

// Text is the text of the message, empty for any other entry.
func (e Entry) Text() string {
	if e.Content == nil {
		return ""
	}
	return e.Content.Text
}

// Void reports whether the entry only holds the place of a record that could
// not be processed.
func (e Entry) Void() bool { return e.Content != nil && e.Content.Type == "void" }

// Row is a row of a conversation list.
type Row struct {
	Conversation string `json:"conversation"`
	With         string `json:"with"`
	Index        int64  `json:"index"`
	N            int64  `json:"n"`
	Read         int64  `json:"read"`
	Unread       int64  `json:"unread"`
	At           int64  `json:"at"`
	Group        bool   `json:"group,omitempty"`
	Title        string `json:"title,omitempty"`
	Left         bool   `json:"left,omitempty"`
	Large        bool   `json:"large,omitempty"`
}

// Frame holds the fields of every frame of the protocol, both ways. Fields
// that a type does not have are zero.
type Frame struct {
	Type string `json:"type"`
	ID   string `json:"id,omitempty"`
	Entry

	Token  string `json:"token,omitempty"`
	Device string `json:"device,omitempty"`
	User   string `json:"user,omitempty"`
	Epoch  string `json:"epoch,omitempty"`
	With   string `json:"with,omitempty"`

	Recovered bool `json:"recovered,omitempty"`

	// Members are names in create and people in the answer to members.
	Title   string   `json:"title,omitempty"`
	Members []Person `json:"members,omitempty"`
	Add     []string `json:"add,omitempty"`
	Remove  []string `json:"remove,omitempty"`
	Total   int      `json:"total,omitempty"`
	Heads   []HeadOf `json:"heads,omitempty"`

	// After is a key in a send and an index elsewhere; see Key and Index.
	After  Ref    `json:"after,omitempty"`
	Before int64  `json:"before,omitempty"`
	Limit  int    `json:"limit,omitempty"`
	Cursor string `json:"cursor,omitempty"`
	Since  int64  `json:"since,omitempty"`

	// Of the short link alone: how long an inbox request waits, with Inbox.Heads
	// as the heads that are known; what a sign-in brings; the status of an answer.
	WaitMS int64   `json:"wait_ms,omitempty"`
	Missed []Entry `json:"missed,omitempty"`
	HTTP   int     `json:"http,omitempty"`

	Messages      []Entry `json:"messages,omitempty"`
	Entries       []Entry `json:"entries,omitempty"`
	Conversations []Row   `json:"conversations,omitempty"`
	More          bool    `json:"more,omitempty"`
	Newest        int64   `json:"newest,omitempty"`
	Version       int64   `json:"version,omitempty"`

	MaxTextBytes int    `json:"max_text_bytes,omitempty"`
	MaxInflight  int    `json:"max_inflight,omitempty"`
	Code         string `json:"code,omitempty"`
	Retry        bool   `json:"retry,omitempty"`
	RetryMS      int64  `json:"retry_ms,omitempty"`
}

// Ref is the raw value of the field "after": nil if it is absent.
type Ref = json.RawMessage

// KeyRef is "after" of a send.
func KeyRef(key string) Ref {
	if key == "" {
		return nil
	}
	b, err := json.Marshal(key)
	if err != nil { // a string always marshals
		panic(err)
	}
	return b
}

// IndexRef is "after" of a history or inbox request.
func IndexRef(index int64) Ref { return strconv.AppendInt(nil, index, 10) }

// AfterKey is the key in "after" of a send, empty if there is none.
func (f Frame) AfterKey() string {
	var key string
	if json.Unmarshal(f.After, &key) != nil {
		return ""
	}
	return key
}

// AfterIndex is the index in "after" of a history or inbox request, or -1.
func (f Frame) AfterIndex() int64 {
	n, err := strconv.ParseInt(string(f.After), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
