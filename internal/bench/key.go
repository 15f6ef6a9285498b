package bench

import "encoding/base64"

// keyBytes is the length of a message's key on the wire: 12 bytes in base64.
const keyBytes = 16

// messageKey is the client message id of a message, which tells the receiver
// all it needs to count it: no state is shared between a sender's goroutine and
// the receiver's.
type messageKey struct {
	conv uint32 // number of the conversation in this load, below 2^24
	seq  uint32 // number of the message in its conversation, from 0
	at   int64  // when it was meant to be sent, µs since the load began, below 2^40
}

// appendTo appends the key's text form.
func (k messageKey) appendTo(b []byte) []byte {
	raw := [12]byte{
		byte(k.at), byte(k.at >> 8), byte(k.at >> 16), byte(k.at >> 24), byte(k.at >> 32),
		byte(k.seq), byte(k.seq >> 8), byte(k.seq >> 16), byte(k.seq >> 24),
		byte(k.conv), byte(k.conv >> 8), byte(k.conv >> 16),
	}
	return base64.RawURLEncoding.AppendEncode(b, raw[:])
}

// parseKey reads a key's text form; ok is false if it is none of ours.
func parseKey(text []byte) (k messageKey, ok bool) {
	if len(text) != keyBytes {
		return k, false
	}
	var raw [12]byte
	if n, err := base64.RawURLEncoding.Decode(raw[:], text); err != nil || n != len(raw) {
		return k, false
	}
	k.at = int64(raw[0]) | int64(raw[1])<<8 | int64(raw[2])<<16 | int64(raw[3])<<24 | int64(raw[4])<<32
	k.seq = uint32(raw[5]) | uint32(raw[6])<<8 | uint32(raw[7])<<16 | uint32(raw[8])<<24
	k.conv = uint32(raw[9]) | uint32(raw[10])<<8 | uint32(raw[11])<<16
	return k, true
}
