package wire

import "strconv"

// Welcome is the answer to hello.
type Welcome struct {
	User         string
	Epoch        string
	Recovered    bool   // all that was missed since the client's position follows
	InboxIndex   uint64 // newest entry of the user's inbox, 0: none
	HeadSum      uint64 // sum of the newest indices of his large conversations
	HeartbeatMS  int64
	MaxTextBytes int
	MaxInflight  int
	At           int64
}

// AppendWelcome appends the answer to hello.
func AppendWelcome(dst, id []byte, w *Welcome) []byte {
	dst = appendAnswer(dst, `{"type":"welcome","id":`, id)
	dst = append(dst, `,"user":`...)
	dst = appendString(dst, w.User)
	dst = append(dst, `,"epoch":`...)
	dst = appendString(dst, w.Epoch)
	dst = append(dst, `,"recovered":`...)
	dst = strconv.AppendBool(dst, w.Recovered)
	dst = appendState(dst, w.InboxIndex, w.HeadSum)
	dst = append(dst, `,"heartbeat_ms":`...)
	dst = strconv.AppendInt(dst, w.HeartbeatMS, 10)
	dst = append(dst, `,"max_text_bytes":`...)
	dst = strconv.AppendInt(dst, int64(w.MaxTextBytes), 10)
	dst = append(dst, `,"max_inflight":`...)
	dst = strconv.AppendInt(dst, int64(w.MaxInflight), 10)
	dst = appendAt(dst, w.At)
	return append(dst, '}')
}

// AppendOpened appends the answer to open.
func AppendOpened(dst, id []byte, conversation [16]byte) []byte {
	dst = appendAnswer(dst, `{"type":"opened","id":`, id)
	dst = append(dst, `,"conversation":"`...)
	dst = AppendUUID(dst, conversation)
	return append(dst, `"}`...)
}

// AppendMessages appends the answer to history. Messages ascend by index; more
// says that there are further ones in the direction asked.
func AppendMessages(dst, id []byte, conversation [16]byte, messages []Message, more bool) []byte {
	dst = appendAnswer(dst, `{"type":"messages","id":`, id)
	dst = append(dst, `,"conversation":"`...)
	dst = AppendUUID(dst, conversation)
	dst = append(dst, `","messages":[`...)
	for i := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		dst = AppendMsgTail(dst, &messages[i])
	}
	dst = append(dst, `],"more":`...)
	dst = strconv.AppendBool(dst, more)
	return append(dst, '}')
}

// Entry is an entry of an inbox with its message.
type Entry struct {
	InboxIndex uint64
	InboxPre   uint64
	Message    Message
}

// AppendEntries appends the answer to inbox. Entries ascend by inbox index;
// newest is the newest of the inbox, not of this page.
func AppendEntries(dst, id []byte, entries []Entry, newest uint64) []byte {
	dst = appendAnswer(dst, `{"type":"entries","id":`, id)
	dst = appendEntries(append(dst, `,"entries":`...), entries)
	dst = append(dst, `,"newest":`...)
	dst = strconv.AppendUint(dst, newest, 10)
	return append(dst, '}')
}

// Conversation is a row of a user's list.
type Conversation struct {
	ID     [16]byte
	With   string // of a direct conversation
	Group  bool
	Title  string // of a group
	Left   bool   // the caller is no longer a member
	Large  bool   // its entries do not come into the inbox
	Index  uint64 // newest
	N      uint64
	Read   uint64 // index up to which the caller has read
	Unread uint64
	At     int64
}

// AppendConversations appends the answer to list. An empty cursor is left out:
// the end.
func AppendConversations(dst, id []byte, rows []Conversation, cursor string, version uint64) []byte {
	dst = appendAnswer(dst, `{"type":"conversations","id":`, id)
	dst = append(dst, `,"conversations":[`...)
	for i := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendRow(dst, &rows[i])
	}
	dst = append(dst, ']')
	if cursor != "" {
		dst = append(dst, `,"cursor":`...)
		dst = appendString(dst, cursor)
	}
	dst = append(dst, `,"version":`...)
	dst = strconv.AppendUint(dst, version, 10)
	return append(dst, '}')
}

func appendRow(dst []byte, c *Conversation) []byte {
	dst = append(dst, `{"conversation":"`...)
	dst = AppendUUID(dst, c.ID)
	if c.Group {
		dst = append(dst, `","group":true,"title":`...)
		dst = appendString(dst, c.Title)
	} else {
		dst = append(dst, `","with":`...)
		dst = appendString(dst, c.With)
	}
	if c.Left {
		dst = append(dst, `,"left":true`...)
	}
	if c.Large {
		dst = append(dst, `,"large":true`...)
	}
	dst = append(dst, `,"index":`...)
	dst = strconv.AppendUint(dst, c.Index, 10)
	dst = append(dst, `,"n":`...)
	dst = strconv.AppendUint(dst, c.N, 10)
	dst = append(dst, `,"read":`...)
	dst = strconv.AppendUint(dst, c.Read, 10)
	dst = append(dst, `,"unread":`...)
	dst = strconv.AppendUint(dst, c.Unread, 10)
	dst = appendAt(dst, c.At)
	return append(dst, '}')
}

// AppendChanged appends the answer to change. The index of the entry is left
// out if nothing changed.
func AppendChanged(dst, id []byte, conversation [16]byte, index uint64) []byte {
	dst = appendAnswer(dst, `{"type":"changed","id":`, id)
	dst = append(dst, `,"conversation":"`...)
	dst = append(AppendUUID(dst, conversation), '"')
	if index > 0 {
		dst = append(dst, `,"index":`...)
		dst = strconv.AppendUint(dst, index, 10)
	}
	return append(dst, '}')
}

// Member is a member of a conversation.
type Member struct {
	User  string `json:"user"`
	Role  string `json:"role"`
	Since uint64 `json:"since"` // index of the entry that brought him in, 0: from the start
}

// AppendMembers appends the answer to members. An empty cursor is left out.
func AppendMembers(dst, id []byte, conversation [16]byte, members []Member, total int, cursor string) []byte {
	dst = appendAnswer(dst, `{"type":"members","id":`, id)
	dst = append(dst, `,"conversation":"`...)
	dst = AppendUUID(dst, conversation)
	dst = append(dst, `","members":[`...)
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"user":`...), m.User)
		dst = appendString(append(dst, `,"role":`...), m.Role)
		dst = strconv.AppendUint(append(dst, `,"since":`...), m.Since, 10)
		dst = append(dst, '}')
	}
	dst = strconv.AppendInt(append(dst, `],"total":`...), int64(total), 10)
	if cursor != "" {
		dst = appendString(append(dst, `,"cursor":`...), cursor)
	}
	return append(dst, '}')
}

// HeadOf is the newest index of a large conversation.
type HeadOf struct {
	Conversation [16]byte
	Index        uint64
}

// AppendHeads appends the answer to heads.
func AppendHeads(dst, id []byte, heads []HeadOf) []byte {
	dst = appendAnswer(dst, `{"type":"heads","id":`, id)
	dst = append(dst, `,"heads":[`...)
	for i, h := range heads {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendUUID(append(dst, `{"conversation":"`...), h.Conversation)
		dst = strconv.AppendUint(append(dst, `","index":`...), h.Index, 10)
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

// Seen is whether a user has a link.
type Seen struct {
	User   string `json:"user"`
	Online bool   `json:"online"`
}

// AppendPresence appends the answer to presence, or with an empty id the push
// that tells of changes.
func AppendPresence(dst, id []byte, users []Seen) []byte {
	dst = append(dst, `{"type":"presence",`...)
	if len(id) > 0 {
		dst = append(appendString(append(dst, `"id":`...), id), ',')
	}
	return appendSeen(dst, users)
}

// appendSeen appends the list and the end of its object.
func appendSeen(dst []byte, users []Seen) []byte {
	dst = append(dst, `"users":[`...)
	for i, u := range users {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"user":`...), u.User)
		dst = strconv.AppendBool(append(dst, `,"online":`...), u.Online)
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

// AppendDone appends the answer to read.
func AppendDone(dst, id []byte) []byte {
	return append(appendAnswer(dst, `{"type":"done","id":`, id), '}')
}

// AppendError appends an error. An empty id is left out. Whether the request
// may be sent again follows from the code; retryMS is left out if it may not,
// or is 0.
func AppendError(dst, id []byte, code Code, message string, retryMS int64) []byte {
	dst = append(dst, `{"type":"error",`...)
	if len(id) > 0 {
		dst = append(dst, `"id":`...)
		dst = appendString(dst, id)
		dst = append(dst, ',')
	}
	dst = append(dst, `"code":"`...)
	dst = append(dst, code...)
	dst = append(dst, `","message":`...)
	dst = appendString(dst, message)
	if code.Retryable() {
		dst = append(dst, `,"retry":true`...)
		if retryMS > 0 {
			dst = append(dst, `,"retry_ms":`...)
			dst = strconv.AppendInt(dst, retryMS, 10)
		}
	}
	return append(dst, '}')
}
