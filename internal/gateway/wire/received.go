package wire

import "encoding/json"

// Received is any frame of a server, for clients that need no speed. Which
// fields are set follows from Type.
type Received struct {
	Type string `json:"type"`
	ID   string `json:"id"` // of the request; empty for pushes and some errors

	User         string `json:"user"`           // welcome
	Epoch        string `json:"epoch"`          // welcome
	HeartbeatMS  int64  `json:"heartbeat_ms"`   // welcome
	MaxTextBytes int    `json:"max_text_bytes"` // welcome
	MaxInflight  int    `json:"max_inflight"`   // welcome

	// Shown holds the fields of msg and own; of sent (conversation, key,
	// message, index, n, at); of opened and messages (conversation); the inbox
	// index of welcome and pong; the text of an error (message).
	Shown

	Messages      []Shown  `json:"messages"`      // messages
	More          bool     `json:"more"`          // messages
	Entries       []Shown  `json:"entries"`       // entries
	Newest        uint64   `json:"newest"`        // entries
	Conversations []Row    `json:"conversations"` // conversations
	Cursor        string   `json:"cursor"`        // conversations, members
	Version       uint64   `json:"version"`       // conversations
	Recovered     bool     `json:"recovered"`     // welcome
	Members       []Member `json:"members"`       // members
	Total         int      `json:"total"`         // members
	Heads         []Shown  `json:"heads"`         // heads: conversation and index
	Users         []Seen   `json:"users"`         // presence

	Code    Code  `json:"code"`     // error
	Retry   bool  `json:"retry"`    // error
	RetryMS int64 `json:"retry_ms"` // error
}

// Place is a place in an inbox; in welcome and pong with the sum of the heads.
type Place struct {
	Index uint64 `json:"index"`
	Pre   uint64 `json:"pre"`
	Heads uint64 `json:"heads"`
}

// Shown is a message as a client sees it.
type Shown struct {
	Inbox        Place           `json:"inbox"` // entries and pushes only
	Conversation string          `json:"conversation"`
	Index        uint64          `json:"index"`
	Pre          uint64          `json:"pre"`
	N            uint64          `json:"n"`
	Message      string          `json:"message"`
	From         string          `json:"from"`
	Key          string          `json:"key"`
	At           int64           `json:"at"`
	Content      json.RawMessage `json:"content"`
}

// Text returns the text of a message, and false if it has another kind of
// content.
func (s *Shown) Text() (string, bool) {
	var c struct{ Type, Text string }
	if json.Unmarshal(s.Content, &c) != nil || c.Type != KindText {
		return "", false
	}
	return c.Text, true
}

// Row is a conversation in a user's list as a client sees it.
type Row struct {
	Conversation string `json:"conversation"`
	With         string `json:"with"`
	Group        bool   `json:"group"`
	Title        string `json:"title"`
	Left         bool   `json:"left"`
	Large        bool   `json:"large"`
	Index        uint64 `json:"index"`
	N            uint64 `json:"n"`
	Read         uint64 `json:"read"`
	Unread       uint64 `json:"unread"`
	At           int64  `json:"at"`
}

// Receive reads a frame of a server.
func Receive(line []byte) (*Received, error) {
	var r Received
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, &Error{Code: CodeInvalid, Message: "frame of the server: " + err.Error()}
	}
	return &r, nil
}
