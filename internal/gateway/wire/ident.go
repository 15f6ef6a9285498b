package wire

// parseUUID reads a UUID in lower-case text.
func parseUUID(b []byte) (id [16]byte, ok bool) {
	if len(b) != 36 || b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return id, false
	}
	i := 0
	for n := range id {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			i++
		}
		hi, lo := nibble[b[i]], nibble[b[i+1]]
		if hi|lo > 15 {
			return id, false
		}
		id[n] = hi<<4 | lo
		i += 2
	}
	return id, true
}

// nibble is the value of a lower-case hexadecimal digit, 0xff for other bytes.
var nibble = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte(hexDigits) {
		t[c] = byte(i)
	}
	return t
}()

// AppendUUID appends an id as lower-case text.
func AppendUUID(dst []byte, id [16]byte) []byte {
	for n, c := range id {
		if n == 4 || n == 6 || n == 8 || n == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// ParseUUID reads an id as the wire spells it.
func ParseUUID(text string) (id [16]byte, ok bool) { return parseUUID([]byte(text)) }

// ValidUser reports whether a user (or device) name has the form of the protocol.
func ValidUser(name []byte) bool {
	if len(name) == 0 || len(name) > MaxName {
		return false
	}
	for _, c := range name {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// ValidKey reports whether a client message id has the form of the protocol.
func ValidKey(key []byte) bool {
	for _, c := range key {
		if c == '"' || c == '\\' {
			return false
		}
	}
	return printable(key, MaxKey)
}

// printable reports whether b has 1 to max bytes, all printable ASCII.
func printable(b []byte, max int) bool {
	if len(b) == 0 || len(b) > max {
		return false
	}
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}
