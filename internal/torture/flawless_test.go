package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// flawless is the protocol in its smallest form: one lock, everything in
// memory, nothing ever lost. It is what the load and the checker are tried on
// before they are let loose on the real server.
type flawless struct {
	mu     sync.Mutex
	convs  map[string][2]string
	chains map[string][]trail.Entry
	keys   map[string]int // conversation, sender, key → place in the chain
	inbox  map[string][]trail.Entry
	reads  map[string]int64
	links  map[*peer]bool
	told   map[string]bool // user, message: it is in the inbox

	forget bool // the fault: no dedupe
}

func newFlawless() *flawless {
	return &flawless{convs: map[string][2]string{}, chains: map[string][]trail.Entry{}, keys: map[string]int{},
		inbox: map[string][]trail.Entry{}, reads: map[string]int64{}, links: map[*peer]bool{}, told: map[string]bool{}}
}

// peer is one link. Frames for it are queued without bound, in order.
type peer struct {
	user string
	conn *websocket.Conn
	out  chan []byte
	gone chan struct{}
}

func (s *flawless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"merchantim.v1.json"}})
	if err != nil {
		return
	}
	conn.SetReadLimit(1 << 20)
	p := &peer{conn: conn, out: make(chan []byte, 1<<16), gone: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case raw := <-p.out:
				_ = conn.Write(context.Background(), websocket.MessageText, raw)
			case <-p.gone:
				return
			}
		}
	})
	for {
		_, data, err := conn.Read(context.Background())
		if err != nil {
			break
		}
		for _, raw := range bytes.Split(data, []byte{'\n'}) {
			s.take(p, raw)
		}
	}
	s.mu.Lock()
	delete(s.links, p)
	s.mu.Unlock()
	close(p.gone)
	wg.Wait()
	_ = conn.CloseNow()
}

// cut ends all links without a word, as a kill does.
func (s *flawless) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.links {
		_ = p.conn.CloseNow()
	}
}

func (p *peer) tell(f trail.Frame) {
	raw, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	p.out <- raw
}

func (s *flawless) take(p *peer, raw []byte) {
	var f trail.Frame
	if json.Unmarshal(raw, &f) != nil {
		p.tell(trail.Frame{Type: "error", Code: "invalid"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := trail.Frame{ID: f.ID}
	s.answer(p, f, &a)
	p.tell(a)
	if a.Type == "sent" {
		s.fanOut(p, s.chains[a.Conversation][a.Index-1])
	}
}

func (s *flawless) answer(p *peer, f trail.Frame, a *trail.Frame) {
	switch f.Type {
	case "hello":
		p.user = strings.TrimPrefix(f.Token, "token of ")
		s.links[p] = true
		a.Type, a.User, a.Epoch = "welcome", p.user, "one"
		a.Inbox, a.MaxTextBytes = &trail.Place{Index: int64(len(s.inbox[p.user]))}, 8192
	case "ping":
		a.Type, a.Inbox = "pong", &trail.Place{Index: int64(len(s.inbox[p.user]))}
	case "open":
		pair := [2]string{min(p.user, f.With), max(p.user, f.With)}
		a.Type, a.Conversation = "opened", pair[0]+"+"+pair[1]
		s.convs[a.Conversation] = pair
	case "send":
		s.send(p.user, f, a)
	case "history":
		s.history(f, a)
	case "inbox":
		all := s.inbox[p.user]
		from := min(f.AfterIndex(), int64(len(all)))
		a.Type, a.Newest = "entries", int64(len(all))
		a.Entries = all[from:min(int(from)+f.Limit, len(all))]
	case "list":
		a.Type, a.Conversations = "conversations", s.rows(p.user)
		if f.Limit < len(a.Conversations) { // one page, then the rest
			if f.Cursor == "" {
				a.Conversations, a.Cursor = a.Conversations[:f.Limit], "rest"
			} else {
				a.Conversations = a.Conversations[f.Limit:]
			}
		}
	case "read":
		a.Type = "done"
		seat := p.user + " " + f.Conversation
		s.reads[seat] = max(s.reads[seat], f.Index)
	}
}

func (s *flawless) send(user string, f trail.Frame, a *trail.Frame) {
	refuse := func(code string) { a.Type, a.Code = "error", code }
	pair, chain := s.convs[f.Conversation], s.chains[f.Conversation]
	key := f.Conversation + " " + user + " "
	first, known := s.keys[key+f.Key]
	_, prev := s.keys[key+f.AfterKey()]
	switch {
	case f.Text() == "":
		refuse("invalid")
	case len(f.Text()) > 8192:
		refuse("too_large")
	case pair[0] != user && pair[1] != user:
		refuse("forbidden")
	case known && chain[first].Text() != f.Text():
		refuse("conflict")
	case !known && len(f.After) > 0 && !prev:
		refuse("predecessor_missing")
	default:
		if !known || s.forget {
			n := int64(len(chain))
			first = len(chain)
			e := trail.Entry{Conversation: f.Conversation, Index: n + 1, Pre: n, N: n + 1, Key: f.Key, From: user,
				Message: f.Key + "@" + key + string(rune('0'+n%10)), At: n, Content: f.Content}
			chain = append(chain, e)
			s.chains[f.Conversation], s.keys[key+f.Key] = chain, first
		}
		e := chain[first]
		e.Content, e.Pre, e.From = nil, 0, ""
		a.Type, a.Entry = "sent", e
	}
}

// fanOut extends the inboxes and pushes, unless the message was told before.
func (s *flawless) fanOut(from *peer, e trail.Entry) {
	for _, user := range s.convs[e.Conversation] {
		in := s.inbox[user]
		told := user + " " + e.Message
		if s.told[told] {
			continue
		}
		s.told[told] = true
		shown := e
		shown.Inbox = &trail.Place{Index: int64(len(in) + 1), Pre: int64(len(in))}
		s.inbox[user] = append(in, shown)
		for p := range s.links {
			switch {
			case p.user != user:
			case p == from:
				p.tell(trail.Frame{Type: "own", Entry: trail.Entry{Inbox: shown.Inbox, Conversation: e.Conversation, Index: e.Index}})
			default:
				p.tell(trail.Frame{Type: "msg", Entry: shown})
			}
		}
	}
}

func (s *flawless) history(f trail.Frame, a *trail.Frame) {
	chain := s.chains[f.Conversation]
	limit := f.Limit
	a.Type, a.Entry.Conversation = "messages", f.Conversation
	if after := f.AfterIndex(); after >= 0 {
		chain = chain[min(int(after), len(chain)):]
		a.More = len(chain) > limit
		a.Messages = chain[:min(limit, len(chain))]
		return
	}
	if f.Before > 0 {
		chain = chain[:min(int(f.Before)-1, len(chain))]
	}
	a.More = len(chain) > limit
	a.Messages = chain[max(0, len(chain)-limit):]
}

func (s *flawless) rows(user string) []trail.Row {
	var rows []trail.Row
	for conv, pair := range s.convs {
		chain := s.chains[conv]
		if (pair[0] != user && pair[1] != user) || len(chain) == 0 {
			continue
		}
		newest := chain[len(chain)-1]
		read := s.reads[user+" "+conv]
		for _, e := range chain {
			if e.From == user {
				read = max(read, e.Index)
			}
		}
		with := pair[0]
		if with == user {
			with = pair[1]
		}
		rows = append(rows, trail.Row{Conversation: conv, With: with, Index: newest.Index, N: newest.N,
			Read: read, Unread: newest.N - min(read, newest.N), At: newest.At})
	}
	slices.SortFunc(rows, func(a, b trail.Row) int {
		if a.At != b.At {
			return int(b.At - a.At)
		}
		return strings.Compare(a.Conversation, b.Conversation)
	})
	return rows
}
