package check

import "github.com/merchantim/merchantim/internal/torture/trail"

// answerTo is the type of answer that each request has.
var answerTo = map[string]string{
	"hello": "welcome", "open": "opened", "send": "sent", "history": "messages",
	"inbox": "entries", "list": "conversations", "read": "done", "ping": "pong",
	"create": "opened", "change": "changed", "members": "members", "heads": "heads",
}

// in takes one received frame.
func (w *walk) in(ev trail.Event) {
	f := ev.Frame
	switch f.Type {
	case "msg", "own":
		w.push(ev)
		return
	}
	w.paid(ev)
	w.status(ev)
	if f.Type == "error" {
		w.refusal(ev)
		return
	}
	req, ok := w.requests[f.ID]
	if !ok || answerTo[req.frame.Type] != f.Type {
		w.wrong(ev, "answer "+ev.Where.String(), "%q with id %q answers nothing that was asked", f.Type, f.ID)
		return
	}
	delete(w.requests, f.ID)
	switch f.Type {
	case "welcome":
		w.welcome(ev, req)
	case "sent":
		w.sent(ev, req)
	case "opened":
		if req.frame.Type == "create" {
			w.created(ev, req)
		} else {
			w.opened(ev, req)
		}
	case "changed":
		w.changed(ev, req)
	case "members":
		w.members(ev, req)
	case "pong":
		w.newest(ev, req)
	case "heads":
		w.copy.Heads(f.Heads)
		w.heads(ev, req)
	case "messages":
		w.messages(ev, req)
	case "entries":
		w.entries(ev, req)
	case "conversations":
		w.copy.List(req.frame, f)
		w.rows(ev)
	case "done":
		w.reads = append(w.reads, reading{w.user, req.frame.Conversation, req.frame.Index, true})
	}
}

func (w *walk) welcome(ev trail.Event, req request) {
	f := ev.Frame
	if f.Epoch != w.b.state.Epoch {
		w.wrong(ev, "epoch "+f.Epoch, "the epoch was %q and is %q in the end", f.Epoch, w.b.state.Epoch)
	}
	if f.User != w.user {
		w.wrong(ev, "user "+ev.Where.String(), "%s was welcomed as %q", w.user, f.User)
	}
	w.pushedTo = 0
	if f.Inbox != nil {
		w.pushedTo = f.Inbox.Index
	}
	w.newest(ev, req)
	if f.Recovered {
		w.recovered(ev, req)
	} else if w.atEnd {
		w.found(InboxMismatch, "return "+ev.Where.String(), ev.Where, "%s comes back with everything and is not recovered", w.user)
	}
	w.copy.Welcome(f)
	for _, e := range f.Missed {
		missed := ev
		missed.Frame = trail.Frame{Type: "msg", Entry: e}
		w.push(missed)
	}
}

func (w *walk) sent(ev trail.Event, req request) {
	f := ev.Frame
	if f.Conversation != req.frame.Conversation || f.Key != req.frame.Key {
		w.wrong(ev, "sent "+ev.Where.String(), "the receipt names %s, %s was sent",
			ident{f.Conversation, w.user, f.Key}, ident{req.frame.Conversation, w.user, req.frame.Key})
		return
	}
	if req.expect != trail.Accept && req.expect != trail.Same {
		w.wrong(ev, "taken "+f.ID+" of "+ev.Where.File, "a send that deserves %q was taken", req.expect)
		return
	}
	id := ident{f.Conversation, w.user, f.Key}
	if _, ok := w.acks[id]; !ok {
		w.acks[id] = receipt{ev.T, ev.Where}
	}
	e := f.Entry
	e.From = w.user
	w.claim(ev, e)
}

func (w *walk) opened(ev trail.Event, req request) {
	conv := ev.Frame.Conversation
	if !w.b.member(conv, w.user) || !w.b.member(conv, req.frame.With) {
		w.wrong(ev, "opened "+conv, "%s and %s were told conversation %s, whose members are %v",
			w.user, req.frame.With, conv, w.b.state.Conversations[conv])
	}
}

// refusal takes an error frame.
func (w *walk) refusal(ev trail.Event) {
	f := ev.Frame
	req, ok := w.requests[f.ID]
	if !ok {
		w.wrong(ev, "error "+ev.Where.String(), "error %q (%s) with id %q answers nothing that was asked", f.Code, f.Entry.Message, f.ID)
		return
	}
	delete(w.requests, f.ID)
	if f.Retry != (f.Code == "overloaded" || f.Code == "unavailable") {
		w.wrong(ev, "retry "+f.Code, "error %q has retry %v", f.Code, f.Retry)
	}
	if f.Retry { // outcome unknown
		if req.frame.Type == "read" {
			w.reads = append(w.reads, reading{w.user, req.frame.Conversation, req.frame.Index, false})
		}
		return
	}
	if req.change != nil {
		req.change.refused = true
	}
	if w.b.groups[req.frame.Conversation] != nil && f.Code == "forbidden" {
		w.outside(ev, req)
		w.refused++
		return
	}
	if !w.deserved(req, f.Code) {
		w.wrong(ev, "refused "+f.ID+" of "+ev.Where.File, "%s was refused with %q (%s), it deserves %q",
			req.frame.Type, f.Code, f.Entry.Message, req.expect)
		return
	}
	w.refused++
}

// deserved reports whether a refusal with this code is right.
func (w *walk) deserved(req request, code string) bool {
	switch req.expect {
	case trail.Open:
		return false
	case trail.Accept, trail.Same:
		// Right only as long as the predecessor has no receipt.
		prev := ident{req.frame.Conversation, w.user, req.frame.AfterKey()}
		r, known := w.acks[prev]
		return code == "predecessor_missing" && prev.key != "" && (!known || r.t >= req.t)
	case trail.Unknown, trail.Foreign:
		// Whether a conversation exists is not told to those outside of it.
		return code == "forbidden" || (req.expect == trail.Unknown && code == "not_found")
	case trail.Large:
		return code == "too_large" || code == "invalid"
	default:
		return code == string(req.expect)
	}
}
