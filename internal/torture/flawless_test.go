package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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
	told   map[string]bool // messages that were delivered
	groups map[string]*crowd

	revs     map[string]int64     // by seat: the version of the list with which its row changed last
	versions map[string]int64     // by user
	listed   map[string]trail.Row // by seat
	short    map[string]bool      // keys that first came on the short link

	sends, ended, parted int // sends taken, lists read to their end, sends that the short link took again

	forget    bool // the fault: no dedupe
	forgetful bool // the fault: no dedupe on the short link of what came on the long one
	hides     bool // the fault: a later list has only large groups
}

func newFlawless() *flawless {
	return &flawless{convs: map[string][2]string{}, chains: map[string][]trail.Entry{}, keys: map[string]int{},
		inbox: map[string][]trail.Entry{}, reads: map[string]int64{}, links: map[*peer]bool{}, told: map[string]bool{},
		groups: map[string]*crowd{}, revs: map[string]int64{}, versions: map[string]int64{},
		listed: map[string]trail.Row{}, short: map[string]bool{}}
}

// peer is one link. Frames for it are queued without bound, in order.
type peer struct {
	user string
	conn *websocket.Conn
	out  chan []byte
	gone chan struct{}
}

func (s *flawless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/link") {
		s.serveShort(w, r)
		return
	}
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

// cut ends all long links without a word, as a kill does.
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
	switch {
	case a.Type == "sent":
		s.fanOut(p, s.chains[a.Conversation][a.Index-1])
	case a.Recovered:
		for _, e := range s.inbox[p.user][f.Inbox.Index:] {
			p.tell(trail.Frame{Type: "msg", Entry: e})
		}
	}
}

func (s *flawless) answer(p *peer, f trail.Frame, a *trail.Frame) {
	switch f.Type {
	case "hello":
		p.user = strings.TrimPrefix(f.Token, "token of ")
		if p.conn != nil {
			s.links[p] = true
		}
		a.Type, a.User, a.Epoch = "welcome", p.user, "one"
		a.Inbox, a.MaxTextBytes = s.newest(p.user), 8192
		a.Recovered = f.Inbox != nil && f.Inbox.Epoch == a.Epoch && f.Inbox.Heads == a.Inbox.Heads &&
			f.Inbox.Index <= a.Inbox.Index && f.Inbox.Index+500 >= a.Inbox.Index
	case "ping":
		a.Type, a.Inbox = "pong", s.newest(p.user)
	case "heads":
		a.Type = "heads"
		for conv, g := range s.groups {
			if g.large && g.has(p.user) {
				a.Heads = append(a.Heads, trail.HeadOf{Conversation: conv, Index: int64(len(s.chains[conv]))})
			}
		}
	case "create":
		s.create(p.user, f, a)
	case "change":
		s.change(p.user, f, a)
	case "members":
		s.members(p.user, f, a)
	case "open":
		pair := [2]string{min(p.user, f.With), max(p.user, f.With)}
		a.Type, a.Conversation = "opened", pair[0]+"+"+pair[1]
		s.convs[a.Conversation] = pair
	case "send":
		s.send(p.user, f, a)
	case "history":
		s.history(p.user, f, a)
	case "inbox":
		all := s.inbox[p.user]
		from := min(f.AfterIndex(), int64(len(all)))
		a.Type, a.Newest = "entries", int64(len(all))
		a.Entries = all[from:min(int(from)+f.Limit, len(all))]
	case "list":
		s.list(p.user, f, a)
	case "read":
		if !s.in(p.user, f.Conversation) {
			a.Type, a.Code = "error", "forbidden"
			return
		}
		a.Type = "done"
		seat := p.user + " " + f.Conversation
		s.reads[seat] = max(s.reads[seat], f.Index)
	}
}

func (s *flawless) send(user string, f trail.Frame, a *trail.Frame) {
	refuse := func(code string) { a.Type, a.Code = "error", code }
	chain := s.chains[f.Conversation]
	key := f.Conversation + " " + user + " "
	first, known := s.keys[key+f.Key]
	_, prev := s.keys[key+f.AfterKey()]
	switch {
	case f.Text() == "":
		refuse("invalid")
	case len(f.Text()) > 8192:
		refuse("too_large")
	case !s.in(user, f.Conversation) && (!known || chain[first].Text() != f.Text()): // who left may repeat
		refuse("forbidden")
	case known && chain[first].Text() != f.Text():
		refuse("conflict")
	case !known && len(f.After) > 0 && !prev:
		refuse("predecessor_missing")
	default:
		if !known || s.forget {
			first = len(chain)
			s.extend(f.Conversation, trail.Entry{Key: f.Key, From: user, Content: f.Content}, 1)
			chain = s.chains[f.Conversation]
			s.keys[key+f.Key] = first
		}
		e := chain[first]
		e.Content, e.Pre, e.From = nil, 0, ""
		a.Type, a.Entry = "sent", e
		s.sends++
	}
}

// extend gives an entry its place.
func (s *flawless) extend(conv string, e trail.Entry, count int64) trail.Entry {
	chain := s.chains[conv]
	var last trail.Entry
	if len(chain) > 0 {
		last = chain[len(chain)-1]
	}
	e.Conversation, e.Index, e.Pre, e.N, e.At = conv, last.Index+1, last.Index, last.N+count, last.Index+1
	e.Message = fmt.Sprint(conv, "@", e.Index)
	s.chains[conv] = append(chain, e)
	return e
}

// fanOut extends the inboxes and pushes, unless the message was told before.
func (s *flawless) fanOut(from *peer, e trail.Entry) {
	if s.told[e.Message] {
		return
	}
	s.told[e.Message] = true
	pair, g := s.convs[e.Conversation], s.groups[e.Conversation]
	switch {
	case g == nil:
		s.deliver(from, e, pair[:], true)
	default:
		s.deliver(from, e, g.names(), !g.large)
	}
}

// deliver hands an entry to users, by their inboxes or beside them.
func (s *flawless) deliver(from *peer, e trail.Entry, users []string, inbox bool) {
	for _, user := range users {
		shown := e
		if inbox {
			in := s.inbox[user]
			shown.Inbox = &trail.Place{Index: int64(len(in) + 1), Pre: int64(len(in))}
			s.inbox[user] = append(in, shown)
		}
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

func (s *flawless) history(user string, f trail.Frame, a *trail.Frame) {
	if !s.in(user, f.Conversation) {
		a.Type, a.Code = "error", "forbidden"
		return
	}
	chain, since := s.chains[f.Conversation], int64(0)
	if g := s.groups[f.Conversation]; g != nil {
		since = g.since(user) - 1
	}
	limit := f.Limit
	a.Type, a.Entry.Conversation = "messages", f.Conversation
	if after := f.AfterIndex(); after >= 0 {
		chain = chain[min(int(max(after, since)), len(chain)):]
		a.More = len(chain) > limit
		a.Messages = chain[:min(limit, len(chain))]
		return
	}
	if f.Before > 0 {
		chain = chain[:min(int(f.Before)-1, len(chain))]
	}
	chain = chain[min(int(since), len(chain)):]
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
	rows = append(rows, s.groupRows(user)...)
	slices.SortFunc(rows, func(a, b trail.Row) int {
		if a.At != b.At {
			return int(b.At - a.At)
		}
		return strings.Compare(a.Conversation, b.Conversation)
	})
	return rows
}
