package bench

import "strconv"

// The frames that the generator builds. Nothing in them needs escaping: ids and
// keys are base64, texts are lower-case words, tokens are checked on arrival.

func appendHello(b []byte, token string) []byte {
	b = append(b, `{"type":"hello","id":"hello","token":"`...)
	b = append(b, token...)
	return append(b, `","device":"bench"}`...)
}

func appendOpen(b []byte, id int, with string) []byte {
	b = append(b, `{"type":"open","id":"`...)
	b = strconv.AppendInt(b, int64(id), 10)
	b = append(b, `","with":"`...)
	b = append(b, with...)
	return append(b, `"}`...)
}

// appendCreate appends a request for a group; who asks becomes its owner.
func appendCreate(b []byte, id int, key string, members []string) []byte {
	b = append(b, `{"type":"create","id":"`...)
	b = strconv.AppendInt(b, int64(id), 10)
	b = append(b, `","key":"`...)
	b = append(b, key...)
	b = append(b, `","title":"Bench","members":`...)
	b = appendNames(b, members)
	return append(b, '}')
}

// appendChange appends a request to add members to a group.
func appendChange(b []byte, id int, conversation string, add []string) []byte {
	b = append(b, `{"type":"change","id":"`...)
	b = strconv.AppendInt(b, int64(id), 10)
	b = append(b, `","conversation":"`...)
	b = append(b, conversation...)
	b = append(b, `","add":`...)
	b = appendNames(b, add)
	return append(b, '}')
}

func appendNames(b []byte, names []string) []byte {
	b = append(b, '[')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, name...)
		b = append(b, '"')
	}
	return append(b, ']')
}

// appendList asks for a page of the list.
func appendList(b []byte, cursor []byte, limit int) []byte {
	b = append(b, `{"type":"list","id":"list","cursor":"`...)
	b = append(b, cursor...)
	b = append(b, `","limit":`...)
	b = strconv.AppendInt(b, int64(limit), 10)
	return append(b, '}')
}

// appendPull asks for a page of the inbox.
func appendPull(b []byte, after int64, limit int) []byte {
	b = append(b, `{"type":"inbox","id":"inbox","after":`...)
	b = strconv.AppendInt(b, after, 10)
	b = append(b, `,"limit":`...)
	b = strconv.AppendInt(b, int64(limit), 10)
	return append(b, '}')
}

func appendPing(b []byte, id string) []byte {
	b = append(b, `{"type":"ping","id":"`...)
	b = append(b, id...)
	return append(b, `"}`...)
}

// appendSend appends a send frame. The request id is the key too, so that an
// error tells which message it refuses. after is empty for a conversation's
// first message.
func appendSend(b []byte, conversation string, key messageKey, after, text []byte) []byte {
	var k [keyBytes]byte
	key.appendTo(k[:0])
	b = append(b, `{"type":"send","id":"`...)
	b = append(b, k[:]...)
	b = append(b, `","conversation":"`...)
	b = append(b, conversation...)
	b = append(b, `","key":"`...)
	b = append(b, k[:]...)
	if len(after) > 0 {
		b = append(b, `","after":"`...)
		b = append(b, after...)
	}
	b = append(b, `","content":{"type":"text","text":"`...)
	b = append(b, text...)
	return append(b, `"}}`...)
}
