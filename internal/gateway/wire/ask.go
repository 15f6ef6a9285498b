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
// asks for the first.
func AppendList(dst []byte, id, cursor string, limit int) []byte {
	dst = appendAnswer(dst, `{"type":"list","id":`, id)
	if cursor != "" {
		dst = appendString(append(dst, `,"cursor":`...), cursor)
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
