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
