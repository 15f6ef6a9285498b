package wire

import "unicode/utf8"

// escapeLen returns the length of the escape sequence at the start of b (which
// is a backslash), 0 if it is none. A surrogate counts with its other half,
// and alone is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		switch u := hex4(b[2:]); {
		case u < 0:
			return 0
		case u < 0xd800 || u > 0xdfff:
			return 6
		case u < 0xdc00 && len(b) >= 12 && b[6] == '\\' && b[7] == 'u':
			if low := hex4(b[8:]); 0xdc00 <= low && low <= 0xdfff {
				return 12
			}
		}
	}
	return 0
}

// hex4 reads four hexadecimal digits, -1 if they are not there.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendUnescaped appends a scanned string without its escapes.
func appendUnescaped(dst, b []byte) []byte {
	for i := 0; i < len(b); {
		if b[i] != '\\' {
			end := i + 1
			for end < len(b) && b[end] != '\\' {
				end++
			}
			dst = append(dst, b[i:end]...)
			i = end
			continue
		}
		n := escapeLen(b[i:])
		if n == 0 { // cannot be after a scan; never loop
			return dst
		}
		switch c := b[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(b[i+2:])
			if n == 12 {
				r = 0x10000 + (r-0xd800)<<10 + (hex4(b[i+8:]) - 0xdc00)
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
		i += n
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string. There is one spelling for each text:
// only the quote, the backslash and control characters below 0x20 are escaped,
// those with a short form by it.
func appendString[T string | []byte](dst []byte, text T) []byte {
	return append(appendEscaped(append(dst, '"'), []byte(text)), '"')
}

func appendEscaped(dst, text []byte) []byte {
	for i := 0; ; {
		end, _ := plain(text, i)
		dst = append(dst, text[i:end]...)
		if end == len(text) {
			return dst
		}
		switch c := text[end]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i = end + 1
	}
}
