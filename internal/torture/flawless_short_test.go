package torture

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// shortStatus are the statuses of the codes that the flawless server answers with.
var shortStatus = map[string]int{"invalid": 400, "forbidden": 403, "conflict": 409, "predecessor_missing": 409, "too_large": 413}

// serveShort is the short link of the flawless server.
func (s *flawless) serveShort(w http.ResponseWriter, r *http.Request) {
	f, ok := shortFrame(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	p := &peer{user: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer token of ")}
	a := s.shortAnswer(p, f)
	for end := time.Now().Add(time.Duration(f.WaitMS) * time.Millisecond); f.WaitMS > 0 && time.Now().Before(end) &&
		len(a.Entries) == 0 && a.Inbox.Heads == f.Inbox.Heads && r.Context().Err() == nil; {
		time.Sleep(3 * time.Millisecond)
		a = s.shortAnswer(p, f)
	}
	status := http.StatusOK
	var body any = a
	switch a.Type {
	case "error":
		status = shortStatus[a.Code]
	case "entries":
		body = map[string]any{"entries": a.Entries, "newest": a.Newest, "heads": a.Inbox.Heads}
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone hears nothing
}

func (s *flawless) shortAnswer(p *peer, f trail.Frame) trail.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	var a trail.Frame
	long := f.Conversation + " " + p.user + " " + f.Key
	if _, known := s.keys[long]; known && s.forgetful && !s.short[long] && f.Type == "send" {
		key := f.Key
		f.Key += "~"
		s.parted++
		s.answer(p, f, &a)
		a.Key = key
	} else {
		s.short[long] = true
		s.answer(p, f, &a)
	}
	switch {
	case a.Type == "sent":
		s.fanOut(p, s.chains[a.Conversation][a.Index-1])
	case a.Type == "entries":
		a.Inbox = s.newest(p.user)
	case a.Recovered:
		a.Missed = s.inbox[p.user][f.Inbox.Index:]
	}
	return a
}

// shortFrame is the frame of the long link that a request is the twin of.
func shortFrame(r *http.Request) (trail.Frame, bool) {
	var f trail.Frame
	if r.Method != http.MethodGet && json.NewDecoder(r.Body).Decode(&f) != nil {
		return f, false
	}
	if string(f.After) == "null" {
		f.After = nil
	}
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	if len(path) > 1 {
		f.Conversation, path[1] = path[1], "*"
	}
	f.Type = map[string]string{
		"POST sessions": "hello", "POST conversations": "open", "POST groups": "create", "GET conversations": "list",
		"GET inbox": "inbox", "GET heads": "heads", "POST conversations/*/messages": "send", "GET conversations/*/messages": "history",
		"POST conversations/*/members": "change", "GET conversations/*/members": "members", "PUT conversations/*/read": "read",
	}[r.Method+" "+strings.Join(path, "/")]
	q := r.URL.Query()
	number := func(name string) int64 {
		n, err := strconv.ParseInt(q.Get(name), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	if q.Has("after") {
		f.After = trail.IndexRef(number("after"))
	}
	if q.Has("heads") {
		f.Inbox = &trail.Place{Heads: number("heads")}
	}
	f.Before, f.Since, f.Limit, f.WaitMS, f.Cursor = number("before"), number("since"), int(number("limit")), number("wait_ms"), q.Get("cursor")
	f.Token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	return f, f.Type != ""
}

// list answers with a page of the rows, or of those that changed since a
// version. Which changed is found by looking when somebody asks.
func (s *flawless) list(user string, f trail.Frame, a *trail.Frame) {
	rows := s.rows(user)
	for _, row := range rows {
		seat := user + " " + row.Conversation
		if s.listed[seat] != row {
			s.versions[user]++
			s.listed[seat], s.revs[seat] = row, s.versions[user]
		}
	}
	rows = slices.DeleteFunc(rows, func(r trail.Row) bool { return s.revs[user+" "+r.Conversation] <= f.Since && !r.Large })
	if s.hides && f.Since > 0 {
		rows = slices.DeleteFunc(rows, func(r trail.Row) bool { return !r.Large })
	}
	from, err := strconv.Atoi(f.Cursor)
	if err != nil {
		from = 0
	}
	a.Type, a.Version = "conversations", s.versions[user]
	a.Conversations = rows[min(from, len(rows)):min(from+f.Limit, len(rows))]
	if from+f.Limit < len(rows) {
		a.Cursor = strconv.Itoa(from + f.Limit)
	} else if f.Since == 0 && len(rows) > 0 {
		s.ended++
	}
}

// busy waits until enough was done to look at: so many sends a time, some lists,
// and what the fault is about. It gives up after a while; then the test says
// what is missing.
func (s *flawless) busy(times int) {
	enough := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.sends >= 150*times && s.ended >= 3 && (!s.forgetful || s.parted > 0)
	}
	for end := time.Now().Add(20 * time.Second); !enough() && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
}
