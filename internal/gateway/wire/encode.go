package wire

import "strconv"

// Message is a chain entry as it is shown to a member.
type Message struct {
	Conversation [16]byte
	Index        uint64
	Pre          uint64
	N            uint64
	ID           [16]byte
	From         string
	Key          string // empty for a void entry
	At           int64  // milliseconds since 1970
	Content      []byte // canonical JSON, copied as it is
}

// Sent is the place that a message got.
type Sent struct {
	Conversation [16]byte
	Key          []byte
	ID           [16]byte
	Index        uint64
	N            uint64
	At           int64
}

// AppendSent appends the answer to a send.
func AppendSent(dst, id []byte, s *Sent) []byte {
	dst = appendAnswer(dst, `{"type":"sent","id":`, id)
	dst = append(dst, `,"conversation":"`...)
	dst = AppendUUID(dst, s.Conversation)
	dst = append(dst, `","key":`...)
	dst = appendString(dst, s.Key)
	dst = append(dst, `,"message":"`...)
	dst = AppendUUID(dst, s.ID)
	dst = append(dst, `","index":`...)
	dst = strconv.AppendUint(dst, s.Index, 10)
	dst = append(dst, `,"n":`...)
	dst = strconv.AppendUint(dst, s.N, 10)
	dst = appendAt(dst, s.At)
	return append(dst, '}')
}

// AppendMsgHead appends the part of a pushed message that differs from
// receiver to receiver. With AppendMsgTail after it the frame is whole. A
// message of a large conversation has no inbox index (0).
func AppendMsgHead(dst []byte, inboxIndex, inboxPre uint64) []byte {
	dst = append(dst, `{"type":"msg",`...)
	return appendInbox(dst, inboxIndex, inboxPre)
}

// AppendMsgTail appends the part of a pushed message that is the same for all
// receivers: encode it once and copy it behind each head.
func AppendMsgTail(dst []byte, m *Message) []byte {
	dst = append(dst, `"conversation":"`...)
	dst = AppendUUID(dst, m.Conversation)
	dst = append(dst, `","index":`...)
	dst = strconv.AppendUint(dst, m.Index, 10)
	dst = append(dst, `,"pre":`...)
	dst = strconv.AppendUint(dst, m.Pre, 10)
	dst = append(dst, `,"n":`...)
	dst = strconv.AppendUint(dst, m.N, 10)
	dst = append(dst, `,"message":"`...)
	dst = AppendUUID(dst, m.ID)
	dst = append(dst, `","from":`...)
	dst = appendString(dst, m.From)
	if m.Key != "" {
		dst = append(dst, `,"key":`...)
		dst = appendString(dst, m.Key)
	}
	dst = appendAt(dst, m.At)
	dst = append(dst, `,"content":`...)
	dst = append(dst, m.Content...)
	return append(dst, '}')
}

// AppendOwn appends the push that stands for a message on the link that sent it.
func AppendOwn(dst []byte, inboxIndex, inboxPre uint64, conversation [16]byte, index uint64) []byte {
	dst = append(dst, `{"type":"own",`...)
	dst = appendInbox(dst, inboxIndex, inboxPre)
	dst = append(dst, `"conversation":"`...)
	dst = AppendUUID(dst, conversation)
	dst = append(dst, `","index":`...)
	dst = strconv.AppendUint(dst, index, 10)
	return append(dst, '}')
}

// AppendPong appends the answer to a ping with the newest inbox index (0: the
// inbox is empty) and the sum of the heads.
func AppendPong(dst, id []byte, inboxIndex, headSum uint64, at int64) []byte {
	dst = appendAnswer(dst, `{"type":"pong","id":`, id)
	dst = appendState(dst, inboxIndex, headSum)
	dst = appendAt(dst, at)
	return append(dst, '}')
}

func appendState(dst []byte, inboxIndex, headSum uint64) []byte {
	dst = append(dst, `,"inbox":{"index":`...)
	dst = strconv.AppendUint(dst, inboxIndex, 10)
	dst = append(dst, `,"heads":`...)
	dst = strconv.AppendUint(dst, headSum, 10)
	return append(dst, '}')
}

func appendAnswer[T string | []byte](dst []byte, head string, id T) []byte {
	dst = append(dst, head...)
	return appendString(dst, id)
}

func appendInbox(dst []byte, index, pre uint64) []byte {
	if index == 0 {
		return dst
	}
	dst = append(dst, `"inbox":{"index":`...)
	dst = strconv.AppendUint(dst, index, 10)
	dst = append(dst, `,"pre":`...)
	dst = strconv.AppendUint(dst, pre, 10)
	return append(dst, `},`...)
}

func appendAt(dst []byte, at int64) []byte {
	dst = append(dst, `,"at":`...)
	return strconv.AppendInt(dst, at, 10)
}
