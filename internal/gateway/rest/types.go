package rest

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// The types below describe bodies, and their values are the examples. What is
// read and written goes through package wire; a test holds the two together.

type (
	userName string
	uuidText string
	keyText  string
	index    uint64
	millis   int64
)

func (userName) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: userForm, Description: "A user."}
}

func (uuidText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid", Pattern: uuidForm, Description: "A UUID in lower case."}
}

func (keyText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Pattern: keyForm,
		Description: "The client's own id, unique for its sender in its conversation for ever.",
	}
}

func (index) Schema(huma.Registry) *huma.Schema {
	min, max := 0.0, float64(wire.MaxIndex)
	return &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &min, Maximum: &max}
}

func (millis) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeInteger, Format: "int64", Description: "Milliseconds since 1970 UTC."}
}

// content is one of the kinds of content. Which fields there are follows from type.
type content struct{ json.RawMessage }

func (content) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[shownContent](), true, "")
}

type shownContent struct {
	Type    string     `json:"type" enum:"text,void,created,members,diffusion" doc:"The kind; only text is sent by clients."`
	Text    string     `json:"text,omitempty" doc:"Of text."`
	Title   string     `json:"title,omitempty" doc:"Of created."`
	Members []userName `json:"members,omitempty" nullable:"false" doc:"Of created."`
	Added   []userName `json:"added,omitempty" nullable:"false" doc:"Of members: who came."`
	Removed []userName `json:"removed,omitempty" nullable:"false" doc:"Of members: who went."`
	Mode    string     `json:"mode,omitempty" enum:"read,write" doc:"Of diffusion: read, the group is large from here on; write, no longer."`
}

// Message is an entry of a conversation as a member sees it.
type Message struct {
	Conversation uuidText `json:"conversation"`
	Index        index    `json:"index" doc:"Its place in the conversation."`
	Pre          index    `json:"pre" doc:"The index before it, 0: none."`
	N            index    `json:"n" doc:"Countable messages up to here."`
	Message      uuidText `json:"message"`
	From         userName `json:"from"`
	Key          keyText  `json:"key,omitempty"`
	At           millis   `json:"at"`
	Content      content  `json:"content"`
}

type place struct {
	Index index `json:"index"`
	Pre   index `json:"pre" doc:"The inbox index before it, 0: none."`
}

type entry struct {
	Inbox place `json:"inbox"`
	Message
}

type state struct {
	Index index `json:"index" doc:"Newest entry of the inbox, 0: none."`
	Heads index `json:"heads" doc:"Sum of the newest indices of all large groups of the user."`
}

type position struct {
	Epoch string `json:"epoch" maxLength:"64"`
	Index index  `json:"index"`
	Heads index  `json:"heads,omitempty"`
}

type signingIn struct {
	Device userName  `json:"device" doc:"Names the installation."`
	Inbox  *position `json:"inbox,omitempty" doc:"How far the client has come, if it goes on from somewhere."`
}

type session struct {
	User         userName `json:"user"`
	Epoch        string   `json:"epoch" doc:"Names the numbering. Another one than before: forget all positions."`
	Recovered    bool     `json:"recovered" doc:"missed is all that the client has missed."`
	Inbox        state    `json:"inbox"`
	HeartbeatMS  int64    `json:"heartbeat_ms" doc:"Of the long link."`
	MaxTextBytes int      `json:"max_text_bytes"`
	MaxInflight  int      `json:"max_inflight" doc:"Of the long link."`
	At           millis   `json:"at"`
	Missed       []entry  `json:"missed,omitempty" nullable:"false" doc:"If recovered: what came since the position."`
}

type opening struct {
	With userName `json:"with"`
}

type opened struct {
	Conversation uuidText `json:"conversation"`
}

type creating struct {
	Key     keyText    `json:"key,omitempty" doc:"The caller's own id of the group; here or in the header Idempotency-Key."`
	Title   string     `json:"title,omitempty" doc:"At most 200 bytes."`
	Members []userName `json:"members,omitempty" nullable:"false" maxItems:"500"`
}

type changing struct {
	Add    []userName `json:"add,omitempty" nullable:"false" maxItems:"500"`
	Remove []userName `json:"remove,omitempty" nullable:"false" maxItems:"500"`
}

type changedMembers struct {
	Conversation uuidText `json:"conversation"`
	Index        index    `json:"index,omitempty" doc:"Of the entry; none: nothing changed."`
}

type member struct {
	User  userName `json:"user"`
	Role  string   `json:"role" enum:"owner,member"`
	Since index    `json:"since" doc:"Index of the entry that brought him in, 0: from the start."`
}

type members struct {
	Conversation uuidText `json:"conversation"`
	Members      []member `json:"members" nullable:"false"`
	Total        int      `json:"total"`
	Cursor       userName `json:"cursor,omitempty" doc:"For the next page; none: the end."`
}

type textContent struct {
	Type string `json:"type" enum:"text"`
	Text string `json:"text" minLength:"1" doc:"At most max_text_bytes bytes of UTF-8."`
}

type sending struct {
	Key     keyText     `json:"key,omitempty" doc:"The caller's own id of the message; here or in the header Idempotency-Key."`
	After   keyText     `json:"after,omitempty" doc:"The key of the message that the caller sent before into this conversation."`
	Content textContent `json:"content"`
}

type sent struct {
	Conversation uuidText `json:"conversation"`
	Key          keyText  `json:"key"`
	Message      uuidText `json:"message"`
	Index        index    `json:"index"`
	N            index    `json:"n"`
	At           millis   `json:"at"`
}

type messages struct {
	Conversation uuidText  `json:"conversation"`
	Messages     []Message `json:"messages" nullable:"false" doc:"Ascending by index."`
	More         bool      `json:"more" doc:"There are further ones in the direction asked."`
}

type reading struct {
	Index index `json:"index" minimum:"1"`
}

type row struct {
	Conversation uuidText `json:"conversation"`
	With         userName `json:"with,omitempty" doc:"Of two people: the other."`
	Group        bool     `json:"group,omitempty"`
	Title        string   `json:"title,omitempty" doc:"Of a group."`
	Left         bool     `json:"left,omitempty" doc:"The caller is no longer in it."`
	Large        bool     `json:"large,omitempty" doc:"A large group: its entries do not come into the inbox."`
	Index        index    `json:"index"`
	N            index    `json:"n"`
	Read         index    `json:"read" doc:"The caller has read up to here."`
	Unread       index    `json:"unread"`
	At           millis   `json:"at"`
}

type rows struct {
	Conversations []row  `json:"conversations" nullable:"false" doc:"Newest first."`
	Cursor        string `json:"cursor,omitempty" doc:"For the next page; none: the end."`
	Version       index  `json:"version" doc:"For a later since; of several pages that of the first."`
}

type entriesPage struct {
	Entries []entry `json:"entries" nullable:"false" doc:"Ascending by inbox index."`
	Newest  index   `json:"newest" doc:"Newest index of the inbox; until the last entry has it, there are more."`
	Heads   index   `json:"heads" doc:"Sum of the newest indices of all large groups of the user."`
}

type head struct {
	Conversation uuidText `json:"conversation"`
	Index        index    `json:"index"`
}

type headsList struct {
	Heads []head `json:"heads" nullable:"false"`
}

type seen struct {
	User   userName `json:"user"`
	Online bool     `json:"online"`
}

type presences struct {
	Users []seen `json:"users" nullable:"false" doc:"In the order asked."`
}

type entryPoint struct {
	URL    string `json:"url" doc:"ws or wss: the long link, whole; http or https: the short link, before paths without their /v1."`
	Weight int    `json:"weight" doc:"Among those of a kind, in proportion."`
}

type limits struct {
	TextBytes    int `json:"max_text_bytes"`
	Inflight     int `json:"max_inflight" doc:"Unanswered sends on one long link."`
	MessageBytes int `json:"max_message_bytes" doc:"Of a WebSocket message, and of a body."`
	GroupMembers int `json:"max_group_members"`
	LargeGroup   int `json:"large_group_size" doc:"Above it a group is large."`
	Named        int `json:"max_named" doc:"Users named in one request."`
	TitleBytes   int `json:"max_title_bytes"`
	History      int `json:"max_history" doc:"Messages of a page."`
	Inbox        int `json:"max_inbox" doc:"Entries of a page."`
	List         int `json:"max_list" doc:"Conversations of a page."`
	Members      int `json:"max_members" doc:"Members of a page."`
	WaitMS       int `json:"max_wait_ms" doc:"Of a long poll."`
}

type retry struct {
	BaseMS int    `json:"base_ms"`
	CapMS  int    `json:"cap_ms"`
	Jitter string `json:"jitter" enum:"full" doc:"A random wait between 0 and min(cap, base × 2^tries)."`
}

type start struct {
	Links       []entryPoint `json:"links" nullable:"false"`
	Limits      limits       `json:"limits"`
	HeartbeatMS int64        `json:"heartbeat_ms"`
	Retry       retry        `json:"retry"`
	Features    []string     `json:"features" nullable:"false"`
}
