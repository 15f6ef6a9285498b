package wire

// request fills f from the scanned fields by the rules of its type.
func (d *Decoder) request(f *Frame) *Error {
	name, err := d.text(&d.top, fType)
	if err != nil {
		return err
	}
	t := typeOf(name)
	if t == Unknown {
		return &Error{Code: CodeUnknownType, Field: "type", Message: "The type of the frame is not known."}
	}
	f.Type = t
	if f.ID == nil {
		return invalid("id", "must be 1 to 64 printable ASCII characters")
	}
	return d.own(f)
}

// own reads the fields that only the frame's type has.
func (d *Decoder) own(f *Frame) (err *Error) {
	switch f.Type {
	case Hello:
		return d.hello(f)
	case Open:
		f.With, err = d.user(fWith)
		return err
	case Send:
		return d.send(f)
	case History:
		return d.history(f)
	case Inbox:
		return d.inbox(f)
	case List:
		return d.list(f)
	case Read:
		return d.read(f)
	case Create:
		return d.create(f)
	case Change:
		return d.change(f)
	case Members:
		return d.page(f)
	case Presence:
		return d.presence(f)
	}
	return nil // ping and heads have no more
}

func typeOf(name []byte) Type {
	switch string(name) {
	case "hello":
		return Hello
	case "open":
		return Open
	case "send":
		return Send
	case "history":
		return History
	case "inbox":
		return Inbox
	case "list":
		return List
	case "read":
		return Read
	case "ping":
		return Ping
	case "create":
		return Create
	case "change":
		return Change
	case "members":
		return Members
	case "heads":
		return Heads
	case "presence":
		return Presence
	}
	return Unknown
}

func (d *Decoder) hello(f *Frame) (err *Error) {
	if f.Token, err = d.text(&d.top, fToken); err != nil {
		return err
	}
	if !printable(f.Token, MaxToken) {
		return invalid("token", "must be 1 to 4096 printable ASCII characters")
	}
	if f.Device, err = d.user(fDevice); err != nil {
		return err
	}
	if d.has(fInbox) {
		return d.position(f)
	}
	return nil
}

func (d *Decoder) send(f *Frame) (err *Error) {
	if f.Conversation, err = d.conversation(); err != nil {
		return err
	}
	if f.Key, err = d.messageKey(fKey); err != nil {
		return err
	}
	if d.has(fAfter) {
		if f.Predecessor, err = d.messageKey(fAfter); err != nil {
			return err
		}
	}
	if d.top[fContent].kind != object {
		return invalid("content", "must be an object")
	}
	kind, err := d.text(&d.content, fType)
	if err != nil {
		return invalid("content.type", "must be a string")
	}
	if string(kind) != KindText {
		return invalid("content.type", "is not a kind of content known here")
	}
	f.Kind = KindText
	if f.Text, err = d.text(&d.content, fText); err != nil {
		return invalid("content.text", "must be a string")
	}
	return nil
}

func (d *Decoder) history(f *Frame) (err *Error) {
	if f.Conversation, err = d.conversation(); err != nil {
		return err
	}
	if d.has(fBefore) && d.has(fAfter) {
		return invalid("before", "cannot be given together with after")
	}
	if d.has(fBefore) {
		if f.Before, err = d.integer(fBefore, 1, MaxIndex); err != nil {
			return err
		}
	}
	if f.HasAfter = d.has(fAfter); f.HasAfter {
		if f.After, err = d.integer(fAfter, 0, MaxIndex); err != nil {
			return err
		}
	}
	f.Limit, err = d.limit(DefaultHistory, MaxHistory)
	return err
}

func (d *Decoder) inbox(f *Frame) (err *Error) {
	f.HasAfter = true
	if f.After, err = d.integer(fAfter, 0, MaxIndex); err != nil {
		return err
	}
	f.Limit, err = d.limit(DefaultInbox, MaxInbox)
	return err
}

func (d *Decoder) list(f *Frame) (err *Error) {
	if d.has(fCursor) {
		if f.Cursor, err = d.text(&d.top, fCursor); err != nil {
			return err
		}
		if len(f.Cursor) > 0 && !printable(f.Cursor, MaxCursor) {
			return invalid("cursor", "is not one that was given out")
		}
	}
	if d.has(fSince) {
		if f.Since, err = d.integer(fSince, 0, MaxIndex); err != nil {
			return err
		}
	}
	f.Limit, err = d.limit(DefaultList, MaxList)
	return err
}

func (d *Decoder) read(f *Frame) (err *Error) {
	if f.Conversation, err = d.conversation(); err != nil {
		return err
	}
	f.Index, err = d.integer(fIndex, 1, MaxIndex)
	return err
}
