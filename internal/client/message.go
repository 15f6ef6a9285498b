package client

import (
	"encoding/json"
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Kind is what an entry of a conversation is.
type Kind string

// The kinds of today. A server of tomorrow may send others: they come with
// their Content and nothing decoded.
const (
	KindText      Kind = "text"
	KindCreated   Kind = "created"   // of a group: Title and Members
	KindMembers   Kind = "members"   // of a group: Added and Removed
	KindDiffusion Kind = "diffusion" // of a group: Mode
	KindVoid      Kind = "void"      // the entry could not be processed
)

// Modes of a diffusion entry.
const (
	ModeRead  = "read"  // the group is large from here on
	ModeWrite = "write" // and no longer
)

// Message is an entry of a conversation as it came to the user.
type Message struct {
	Inbox        Place // of this entry; its Index is 0 if it is of a large group
	Conversation string
	Index        uint64 // place in the conversation; Pre is the one before, 0: none
	Pre          uint64
	N            uint64
	ID           string
	From         string
	Key          string
	At           time.Time

	Kind    Kind
	Text    string          // of KindText
	Change  *GroupChange    // of KindCreated, KindMembers, KindDiffusion
	Content json.RawMessage // as it came
}

// Place is a place in a user's inbox. Index means nothing under another Epoch.
type Place struct {
	Epoch string
	Index uint64
}

// GroupChange is what an entry changes in a group.
type GroupChange struct {
	Title   string   `json:"title"`
	Members []string `json:"members"`
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	Mode    string   `json:"mode"`
}

// Page is a page of history, ascending. More says that there are further ones.
type Page struct {
	Messages []Message
	More     bool
}

func messageOf(epoch string, s *wire.Shown) Message {
	m := Message{
		Inbox: Place{Epoch: epoch, Index: s.Inbox.Index}, Conversation: s.Conversation, Index: s.Index,
		Pre: s.Pre, N: s.N, ID: s.Message, From: s.From, Key: s.Key, At: time.UnixMilli(s.At), Content: s.Content,
	}
	var c struct {
		Type Kind
		Text string
		GroupChange
	}
	if json.Unmarshal(s.Content, &c) != nil {
		m.Kind = KindVoid
		return m
	}
	switch m.Kind = c.Type; c.Type {
	case KindText:
		m.Text = c.Text
	case KindCreated, KindMembers, KindDiffusion:
		m.Change = &c.GroupChange
	}
	return m
}

// shown is the inverse of messageOf.
func (m *Message) shown() wire.Shown {
	return wire.Shown{
		Inbox: wire.Place{Index: m.Inbox.Index}, Conversation: m.Conversation, Index: m.Index, Pre: m.Pre, N: m.N,
		Message: m.ID, From: m.From, Key: m.Key, At: m.At.UnixMilli(), Content: m.Content,
	}
}
