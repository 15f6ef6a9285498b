package wire

// has reports whether the frame has a field that is not null.
func (d *Decoder) has(f field) bool { return d.top[f].kind > null }

func (d *Decoder) text(t *fields, f field) ([]byte, *Error) {
	if t[f].kind != str {
		return nil, invalid(fieldNames[f], "must be a string")
	}
	return d.bytes(t[f]), nil
}

func (d *Decoder) user(f field) ([]byte, *Error) {
	name, err := d.text(&d.top, f)
	if err == nil && !ValidUser(name) {
		err = invalid(fieldNames[f], "must be 1 to 64 characters of a-z A-Z 0-9 . _ -")
	}
	return name, err
}

func (d *Decoder) messageKey(f field) ([]byte, *Error) {
	key, err := d.text(&d.top, f)
	if err == nil && !ValidKey(key) {
		err = invalid(fieldNames[f], `must be 1 to 64 printable ASCII characters without " and \`)
	}
	return key, err
}

func (d *Decoder) conversation() ([16]byte, *Error) {
	text, err := d.text(&d.top, fConversation)
	if err != nil {
		return [16]byte{}, err
	}
	id, ok := parseUUID(text)
	if !ok {
		return id, invalid("conversation", "must be a UUID in lower case")
	}
	return id, nil
}

// integer reads an integer in min..max, written with digits only: 1.0 and 1e3
// are refused.
func (d *Decoder) integer(f field, min, max uint64) (uint64, *Error) {
	v := d.top[f]
	if n, ok := digits(d.b[v.start:v.end]); ok && v.kind == number && min <= n && n <= max {
		return n, nil
	}
	return 0, notInteger(fieldNames[f], min, max)
}

func (d *Decoder) limit(byDefault, max int) (int, *Error) {
	if !d.has(fLimit) {
		return byDefault, nil
	}
	n, err := d.integer(fLimit, 1, uint64(max))
	return int(n), err
}
