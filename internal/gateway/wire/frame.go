package wire

// Subprotocol is the WebSocket subprotocol of these frames.
const Subprotocol = "merchantim.v1.json"

// Limits of the protocol.
const (
	MaxMessage     = 65_536 // bytes of a WebSocket message from a client
	MaxFrames      = 256    // frames of a WebSocket message from a client
	MaxDepth       = 32     // nested objects and arrays, the frame itself included
	MaxID          = 64     // bytes of a request id
	MaxName        = 64     // bytes of a user or device
	MaxKey         = 64     // bytes of a client message id
	MaxToken       = 4096   // bytes of a token
	MaxCursor      = 512    // bytes of a cursor
	MaxIndex       = 1<<53 - 1
	MaxHistory     = 200 // messages of a page of history
	MaxInbox       = 500 // entries of a page of the inbox
	MaxList        = 200 // conversations of a page
	DefaultHistory = 50
	DefaultInbox   = 200
	DefaultList    = 50
	MaxNamed       = 500  // users named in one request
	MaxTitle       = 200  // bytes of a group's title
	MaxMembers     = 1000 // members of a page
	DefaultMembers = 200
	MaxPresence    = 100 // users asked for in one request
)

// Type is a request's type.
type Type uint8

// The requests of a client.
const (
	Unknown Type = iota
	Hello
	Open
	Send
	History
	Inbox
	List
	Read
	Ping
	Create
	Change
	Members
	Heads
	Presence
)

var typeNames = [...]string{"unknown", "hello", "open", "send", "history", "inbox", "list", "read", "ping",
	"create", "change", "members", "heads", "presence"}

// String returns the type as the wire spells it.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return typeNames[Unknown]
}

// Types returns every type of request, for tables that must have them all.
func Types() []Type {
	all := make([]Type, 0, len(typeNames)-1)
	for t := range typeNames[1:] {
		all = append(all, Type(t+1))
	}
	return all
}

// KindText is the one kind of content that a client may send today.
const KindText = "text"

// Frame is one request of a client. A field that the type does not have is
// zero. Byte fields are views into the line or into the decoder and are valid
// until its next call: who keeps one copies it.
type Frame struct {
	Type Type
	ID   []byte // also set beside an error, if it could be read

	Token  []byte // hello
	Device []byte // hello
	With   []byte // open: a user

	Resumes    bool   // hello: has a position
	Epoch      string // hello: of the position
	InboxIndex uint64 // hello: of the position
	HeadSum    uint64 // hello: of the position

	Title  []byte   // create: may be too long
	Users  []string // create: members; change: to be added; presence: asked for
	Remove []string // change: to be removed
	Watch  bool     // presence: tell of changes, too

	Conversation [16]byte // send, history, read, change, members
	Key          []byte   // send, create
	Predecessor  []byte   // send: "after", empty if not given
	Kind         string   // send: always KindText
	Text         []byte   // send: unescaped; may be empty or too long, the caller knows the limit

	Before uint64 // history: 0 if not given
	After  uint64 // history, inbox
	// HasAfter tells after 0 from none. History never has both ends.
	HasAfter bool
	Limit    int    // history, inbox, list, members: within its range, the default if not given
	Cursor   []byte // list, members: empty for the first page
	Since    uint64 // list: 0 if not given
	Index    uint64 // read
}
