package wire

import "strconv"

// The requests, for clients. Each appends one frame without a newline. Names
// and identifiers are text as the server gave them out.

// AppendHello appends the first frame of a link.
func AppendHello(dst []byte, id, token, device string) []byte {
	dst = appendAnswer(dst, `{"type":"hello","id":`, id)
	dst = appendString(append(dst, `,"token":`...), token)
	dst = appendString(append(dst, `,"device":`...), device)
	return append(dst, '}')
}

// AppendHelloAt appends the first frame of a link that goes on where another
// ended.
func AppendHelloAt(dst []byte, id, token, device, epoch string, inboxIndex, headSum uint64) []byte {
	dst = AppendHello(dst, id, token, device)
	dst = appendString(append(dst[:len(dst)-1], `,"inbox":{"epoch":`...), epoch)
	dst = strconv.AppendUint(append(dst, `,"index":`...), inboxIndex, 10)
	dst = strconv.AppendUint(append(dst, `,"heads":`...), headSum, 10)
	return append(dst, `}}`...)
}

// AppendCreate appends a request for a new group.
func AppendCreate(dst []byte, id, key, title string, members []string) []byte {
	dst = appendAnswer(dst, `{"type":"create","id":`, id)
	dst = appendString(append(dst, `,"key":`...), key)
	dst = appendString(append(dst, `,"title":`...), title)
	return append(appendNames(append(dst, `,"members":`...), members), '}')
}

// AppendChange appends a request to change the members of a group.
func AppendChange(dst []byte, id, conversation string, add, remove []string) []byte {
	dst = appendAnswer(dst, `{"type":"change","id":`, id)
	dst = appendString(append(dst, `,"conversation":`...), conversation)
	dst = appendNames(append(dst, `,"add":`...), add)
	return append(appendNames(append(dst, `,"remove":`...), remove), '}')
}

func appendNames(dst []byte, names []string) []byte {
	dst = append(dst, '[')
	for i, n := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, n)
	}
	return append(dst, ']')
}

// AppendListMembers appends a request for a page of members; an empty cursor
// asks for the first.
func AppendListMembers(dst []byte, id, conversation, cursor string, limit int) []byte {
	dst = appendAnswer(dst, `{"type":"members","id":`, id)
	dst = appendString(append(dst, `,"conversation":`...), conversation)
	if cursor != "" {
		dst = appendString(append(dst, `,"cursor":`...), cursor)
	}
	return appendLimit(dst, limit)
}

// AppendListHeads appends a request for the heads of the large conversations.
func AppendListHeads(dst []byte, id string) []byte {
	return append(appendAnswer(dst, `{"type":"heads","id":`, id), '}')
}

// AppendAskPresence appends a request for the presence of users, and to be
// told of their changes if watch is set.
func AppendAskPresence(dst []byte, id string, users []string, watch bool) []byte {
	dst = appendAnswer(dst, `{"type":"presence","id":`, id)
	dst = appendNames(append(dst, `,"users":`...), users)
	if watch {
		dst = append(dst, `,"watch":true`...)
	}
	return append(dst, '}')
}

// AppendOpen appends a request for the conversation with another user.
func AppendOpen(dst []byte, id, with string) []byte {
	dst = appendAnswer(dst, `{"type":"open","id":`, id)
	dst = appendString(append(dst, `,"with":`...), with)
	return append(dst, '}')
}

// AppendSend appends a send of text; an empty after is left out.
func AppendSend(dst []byte, id, conversation, key, after, text string) []byte {
	dst = appendAnswer(dst, `{"type":"send","id":`, id)
	dst = appendString(append(dst, `,"conversation":`...), conversation)
	dst = appendString(append(dst, `,"key":`...), key)
	if after != "" {
		dst = appendString(append(dst, `,"after":`...), after)
	}
	dst = append(dst, `,"content":`...)
	dst = AppendTextContent(dst, []byte(text))
	return append(dst, '}')
}

// AppendHistory appends a request for a page of history before an index; 0
// asks for the newest. A limit of 0 leaves it to the server.
func AppendHistory(dst []byte, id, conversation string, before uint64, limit int) []byte {
	dst = appendAnswer(dst, `{"type":"history","id":`, id)
	dst = appendString(append(dst, `,"conversation":`...), conversation)
	if before > 0 {
		dst = strconv.AppendUint(append(dst, `,"before":`...), before, 10)
	}
	return appendLimit(dst, limit)
}

// AppendHistoryAfter appends a request for a page of history after an index.
func AppendHistoryAfter(dst []byte, id, conversation string, after uint64, limit int) []byte {
	dst = appendAnswer(dst, `{"type":"history","id":`, id)
	dst = appendString(append(dst, `,"conversation":`...), conversation)
	dst = strconv.AppendUint(append(dst, `,"after":`...), after, 10)
	return appendLimit(dst, limit)
}

// AppendInbox appends a request for a page of the inbox after an index.
func AppendInbox(dst []byte, id string, after uint64, limit int) []byte {
	dst = appendAnswer(dst, `{"type":"inbox","id":`, id)
	dst = strconv.AppendUint(append(dst, `,"after":`...), after, 10)
	return appendLimit(dst, limit)
}

// AppendList appends a request for a page of conversations; an empty cursor
// asks for the first. A since above 0 asks for those that changed after that
// version.
func AppendList(dst []byte, id, cursor string, since uint64, limit int) []byte {
	dst = appendAnswer(dst, `{"type":"list","id":`, id)
	if cursor != "" {
		dst = appendString(append(dst, `,"cursor":`...), cursor)
	}
	if since > 0 {
		dst = strconv.AppendUint(append(dst, `,"since":`...), since, 10)
	}
	return appendLimit(dst, limit)
}

// AppendRead appends the caller's read position.
func AppendRead(dst []byte, id, conversation string, index uint64) []byte {
	dst = appendAnswer(dst, `{"type":"read","id":`, id)
	dst = appendString(append(dst, `,"conversation":`...), conversation)
	dst = strconv.AppendUint(append(dst, `,"index":`...), index, 10)
	return append(dst, '}')
}

// AppendPing appends a ping.
func AppendPing(dst []byte, id string) []byte {
	return append(appendAnswer(dst, `{"type":"ping","id":`, id), '}')
}

func appendLimit(dst []byte, limit int) []byte {
	if limit > 0 {
		dst = strconv.AppendInt(append(dst, `,"limit":`...), int64(limit), 10)
	}
	return append(dst, '}')
}
