package wire

import "encoding/json"

// Fields that are objects or lists, of frames that are not hot. The scanner has
// walked over them: they are valid JSON, and not too deep.

func (d *Decoder) create(f *Frame) (err *Error) {
	if f.Key, err = d.messageKey(fKey); err != nil {
		return err
	}
	if d.has(fTitle) {
		if f.Title, err = d.text(&d.top, fTitle); err != nil {
			return err
		}
	}
	f.Users, err = d.users(fMembers, MaxNamed)
	return err
}

func (d *Decoder) change(f *Frame) (err *Error) {
	if f.Conversation, err = d.conversation(); err != nil {
		return err
	}
	if f.Users, err = d.users(fAdd, MaxNamed); err != nil {
		return err
	}
	f.Remove, err = d.users(fRemove, MaxNamed)
	return err
}

func (d *Decoder) page(f *Frame) (err *Error) {
	if f.Conversation, err = d.conversation(); err != nil {
		return err
	}
	if d.has(fCursor) {
		if f.Cursor, err = d.user(fCursor); err != nil {
			return err
		}
	}
	f.Limit, err = d.limit(DefaultMembers, MaxMembers)
	return err
}

func (d *Decoder) presence(f *Frame) (err *Error) {
	if !d.has(fUsers) {
		return invalid("users", "must be a list of users")
	}
	if f.Users, err = d.users(fUsers, MaxPresence); err != nil {
		return err
	}
	if d.has(fWatch) {
		v := d.top[fWatch]
		if v.kind != boolean {
			return invalid("watch", "must be true or false")
		}
		f.Watch = d.b[v.start] == 't'
	}
	return nil
}

// users reads a list of at most so many names, none if the field is absent.
func (d *Decoder) users(at field, most int) ([]string, *Error) {
	if !d.has(at) {
		return nil, nil
	}
	v := d.top[at]
	var names []string
	if v.kind != array || json.Unmarshal(d.b[v.start:v.end], &names) != nil {
		return nil, invalid(fieldNames[at], "must be a list of users")
	}
	if len(names) > most {
		return nil, invalid(fieldNames[at], "names too many users")
	}
	for _, n := range names {
		if !ValidUser([]byte(n)) {
			return nil, invalid(fieldNames[at], "has a name that is not 1 to 64 characters of a-z A-Z 0-9 . _ -")
		}
	}
	return names, nil
}

// position reads where a client wants to go on.
func (d *Decoder) position(f *Frame) *Error {
	v := d.top[fInbox]
	var at map[string]json.RawMessage // a struct would not mind the case of keys
	if v.kind != object || json.Unmarshal(d.b[v.start:v.end], &at) != nil {
		return invalid("inbox", "must be an object")
	}
	var epoch *string
	if json.Unmarshal(at["epoch"], &epoch) != nil || epoch == nil || len(*epoch) > MaxID {
		return invalid("inbox.epoch", "must be an epoch that was given out")
	}
	f.Epoch = *epoch
	for _, n := range []struct {
		name string
		to   *uint64
	}{{"index", &f.InboxIndex}, {"heads", &f.HeadSum}} {
		text := at[n.name]
		if n.name == "heads" && (text == nil || string(text) == "null") {
			continue
		}
		if len(text) == 0 || text[0] == 'n' || json.Unmarshal(text, n.to) != nil || *n.to > MaxIndex {
			return invalid("inbox."+n.name, "must be an integer from 0 to 9007199254740991")
		}
	}
	f.Resumes = true
	return nil
}
