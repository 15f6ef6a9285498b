package clienttest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// The short link: each request stands for a frame, and so does its answer.

// body holds the fields that the bodies of all requests have.
type body struct {
	Device, With, Key, Title, After string
	Members, Add, Remove            []string
	Index                           uint64
	Inbox                           *struct {
		Epoch        string
		Index, Heads uint64
	}
	Content struct{ Type, Text string }
}

func (s *Server) short(w http.ResponseWriter, r *http.Request) {
	l := &link{user: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")}
	f, ok := frameOf(r)
	if !ok || l.user == "" {
		problem(w, &wire.Received{Code: wire.CodeInvalid})
		return
	}
	if f.Type == wire.Inbox && r.FormValue("wait_ms") != "" {
		s.await(l.user, r, f)
	}
	if s.answered(w, l, f).Ignore {
		<-r.Context().Done()
	}
}

func (s *Server) answered(w http.ResponseWriter, l *link, f *wire.Frame) Harm {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, h := s.harmed(l, f)
	switch {
	case h.Ignore:
		return h
	case h.Cut:
		panic(http.ErrAbortHandler) // cuts the connection
	case f.Type == wire.Hello && h.Refuse == "":
		answer = s.session(l.user, f)
	}
	s.reply(w, l.user, f, answer)
	return h
}

// await waits until there is something new.
func (s *Server) await(name string, r *http.Request, f *wire.Frame) {
	ms, _ := strconv.Atoi(r.FormValue("wait_ms")) // its form is not what is tested
	heads, _ := strconv.ParseUint(r.FormValue("heads"), 10, 64)
	over := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer over.Stop()
	s.set(func() { s.polls++ })
	defer s.set(func() { s.polls-- })
	for {
		var news chan struct{}
		s.set(func() {
			if u := s.user(name); uint64(len(u.inbox)) <= f.After && s.headSum(name) == heads {
				news = u.news
			}
		})
		if news == nil {
			return
		}
		select {
		case <-news:
		case <-over.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// reply turns the frame of an answer into a body.
func (s *Server) reply(w http.ResponseWriter, name string, f *wire.Frame, frame []byte) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(frame, &fields); err != nil {
		panic(err)
	}
	if string(fields["type"]) == `"error"` {
		r, err := wire.Receive(frame)
		if err != nil {
			panic(err)
		}
		problem(w, r)
		return
	}
	if f.Type == wire.Read {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	delete(fields, "type")
	delete(fields, "id")
	if f.Type == wire.Inbox {
		fields["heads"] = strconv.AppendUint(nil, s.headSum(name), 10)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(fields) // a client that is gone hears nothing
}

// session is a welcome with what was missed in it.
func (s *Server) session(name string, f *wire.Frame) []byte {
	w, missed := s.welcome(name, f)
	frame := wire.AppendWelcome(nil, []byte("0"), w)
	list := wire.AppendEntries(nil, []byte("0"), missed, 0)
	var fields struct{ Entries json.RawMessage }
	if err := json.Unmarshal(list, &fields); err != nil {
		panic(err)
	}
	frame = append(frame[:len(frame)-1], `,"missed":`...)
	return append(append(frame, fields.Entries...), '}')
}

func problem(w http.ResponseWriter, r *wire.Received) {
	status := map[wire.Code]int{
		wire.CodeUnauthenticated: 401, wire.CodeForbidden: 403, wire.CodeNotFound: 404, wire.CodeConflict: 409,
		wire.CodePredecessorMissing: 409, wire.CodeTooLarge: 413, wire.CodeOverloaded: 429, wire.CodeUnavailable: 503,
	}[r.Code]
	if status == 0 {
		status = http.StatusBadRequest
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "about:blank", "status": status, "code": r.Code, "detail": r.Message, "retry": r.Retry, "retry_ms": r.RetryMS,
	})
}

// frameOf is the frame that a request stands for.
func frameOf(r *http.Request) (*wire.Frame, bool) {
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, wire.MaxMessage))
	if err != nil {
		return nil, false
	}
	var b body
	if len(raw) > 0 && json.Unmarshal(raw, &b) != nil {
		return nil, false
	}
	f := &wire.Frame{
		ID: []byte("0"), With: []byte(b.With), Title: []byte(b.Title), Users: b.Members, Remove: b.Remove,
		Key: []byte(b.Key), Predecessor: []byte(b.After), Kind: b.Content.Type, Text: []byte(b.Content.Text), Index: b.Index,
	}
	if b.Inbox != nil {
		f.Resumes, f.Epoch, f.InboxIndex, f.HeadSum = true, b.Inbox.Epoch, b.Inbox.Index, b.Inbox.Heads
	}
	if len(b.Add) > 0 {
		f.Users = b.Add
	}
	return f, named(f, r) && asked(f, r)
}

// named takes what the path says.
func named(f *wire.Frame, r *http.Request) (ok bool) {
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	what := r.Method + " " + path[len(path)-1]
	if len(path) == 3 {
		if f.Conversation, ok = wire.ParseUUID(path[1]); !ok {
			return false
		}
		what = r.Method + " of " + path[2]
	}
	f.Type, ok = map[string]wire.Type{
		"POST sessions": wire.Hello, "POST conversations": wire.Open, "POST groups": wire.Create,
		"GET conversations": wire.List, "GET inbox": wire.Inbox, "GET heads": wire.Heads,
		"POST of members": wire.Change, "GET of members": wire.Members, "POST of messages": wire.Send,
		"GET of messages": wire.History, "PUT of read": wire.Read,
	}[what]
	return ok
}

// asked takes what the query says.
func asked(f *wire.Frame, r *http.Request) bool {
	limits := map[wire.Type]int{
		wire.List: wire.DefaultList, wire.Inbox: wire.DefaultInbox, wire.History: wire.DefaultHistory, wire.Members: wire.DefaultMembers,
	}
	f.Limit = limits[f.Type]
	for name, values := range r.URL.Query() {
		n, err := strconv.ParseUint(values[0], 10, 53)
		switch name {
		case "cursor":
			f.Cursor, err = []byte(values[0]), nil
		case "after":
			f.After, f.HasAfter = n, true
		case "before":
			f.Before = n
		case "since":
			f.Since = n
		case "limit":
			f.Limit = int(n)
		case "wait_ms", "heads":
		default:
			return false
		}
		if err != nil {
			return false
		}
	}
	return true
}
