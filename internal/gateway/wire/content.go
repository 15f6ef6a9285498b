package wire

// VoidContent stands for an entry that could not be processed.
const VoidContent = `{"type":"void"}`

// AppendTextContent appends the canonical content of a text message: the one
// spelling that is hashed, stored and pushed. Only the quote, the backslash
// and control characters below 0x20 are escaped. Text must be valid UTF-8.
func AppendTextContent(dst, text []byte) []byte {
	dst = append(dst, `{"type":"text","text":"`...)
	dst = appendEscaped(dst, text)
	return append(dst, `"}`...)
}
