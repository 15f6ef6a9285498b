package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/stream"
)

// Members come and go, the group crosses the size at which members follow its
// head, and the power goes: every entry reaches those who were members as of
// it, and nobody else, whatever was replayed (M2, M59, M65, X1).
func TestGroupCrashes(t *testing.T) {
	for seed := *crashSeed; seed < *crashSeed+uint64(*crashes); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { newGroupTale(t, seed).run() })
	}
}

// groupTale is a history of several lives around one or two groups.
type groupTale struct {
	t      testing.TB
	rng    *rand.Rand
	m      *machine
	s      *server
	groups []domain.ConversationID
	sends  int
	asked  map[string]domain.ConversationID // changes asked for
	told   map[domain.ConversationID]map[uint64]string
	pushed map[domain.UserID]map[uint64]push // by inbox index, over all lives
	log    *moody
	stuck  bool // the log takes no more fan-out in this life
}

// crew is one more than groups of this tale hold without becoming large.
var crew = []domain.UserID{"ann", "bob", "eve", "joe", "kim"}

func newGroupTale(t testing.TB, seed uint64) *groupTale {
	h := newTale(t, seed)
	h.m.groups = chat.Limits{Members: len(crew), Large: 2 + h.rng.IntN(2)}
	log := &moody{}
	h.m.wrapLog = func(l stream.Log) stream.Log { log.Log = l; return log }
	return &groupTale{
		t: t, rng: h.rng, m: h.m, log: log, asked: make(map[string]domain.ConversationID),
		told: make(map[domain.ConversationID]map[uint64]string), pushed: make(map[domain.UserID]map[uint64]push),
	}
}

func (h *groupTale) run() {
	for life := range 2 + h.rng.IntN(3) {
		h.s = h.m.start(crew...)
		h.check()
		if life == 0 {
			h.found()
		}
		for range h.rng.IntN(50) {
			h.act()
		}
		if h.rng.IntN(2) == 0 {
			h.holdBack()
		}
		if !h.stuck && h.rng.IntN(4) == 0 {
			h.s.stop()
		} else {
			h.m.kill(h.s, h.rng)
		}
		h.learn()
		h.log.refusing, h.stuck = false, false
	}
	h.s = h.m.start(crew...)
	h.check()
	h.s.stop()
}

// holdBack has the chains and the store go on while the log takes no fan-out:
// when the power goes, the replay must find out who the members were.
func (h *groupTale) holdBack() {
	h.log.mu.Lock()
	h.log.refusing = true
	h.log.mu.Unlock()
	h.stuck = true
	for range h.rng.IntN(30) {
		h.act()
	}
	time.Sleep(3 * h.m.writer.FlushInterval)
	must(h.t, h.s.kv.Checkpoint(h.t.Context()))
}

// found makes the groups, each twice: the second time changes nothing.
func (h *groupTale) found() {
	must(h.t, h.s.store.Users.Ensure(h.t.Context(), crew...))
	for i := range 1 + h.rng.IntN(2) {
		key, with := fmt.Sprint("g", i), crew[1:2+h.rng.IntN(4)]
		var made domain.ConversationID
		for range 2 {
			origin, request := h.s.origin()
			if refusal := h.s.svc.Create(h.t.Context(), origin, crew[0], []byte(key), "team", with); refusal != nil {
				h.t.Fatal(refusal)
			}
			made = h.s.links.answer(h.t, request).conv
		}
		h.groups = append(h.groups, made)
	}
}

func (h *groupTale) act() {
	conv, who := h.groups[h.rng.IntN(len(h.groups))], crew[h.rng.IntN(len(crew))]
	if h.rng.IntN(3) > 0 {
		h.sends++
		request := h.s.post(conv, who, fmt.Sprint("k", h.sends), "", fmt.Sprint("text ", h.sends))
		if !h.stuck && h.rng.IntN(5) == 0 {
			h.s.links.answer(h.t, request)
		}
		return
	}
	var add, remove []domain.UserID
	for _, u := range crew {
		switch h.rng.IntN(4) {
		case 0:
			add = append(add, u)
		case 1:
			remove = append(remove, u)
		}
	}
	if h.rng.IntN(2) == 0 {
		who = crew[0]
	}
	origin, request := h.s.origin()
	if h.s.svc.Change(h.t.Context(), origin, who, conv, add, remove) == nil {
		h.asked[request] = conv
		if !h.stuck && h.rng.IntN(3) == 0 {
			h.s.links.answer(h.t, request)
		}
	}
}

// learn keeps what was answered and pushed.
func (h *groupTale) learn() {
	for request, a := range h.s.links.answered() {
		_, change := h.asked[request]
		if a.code != "" || a.entry.Index == 0 {
			continue
		}
		what := "text"
		if change {
			what = "members"
		}
		h.tell(a.conv, a.entry.Index, what)
	}
	for u, all := range h.s.links.pushes {
		for _, p := range all {
			h.tell(p.item.Conversation, p.item.Entry, p.body)
			if p.item.Index == 0 {
				continue
			}
			if h.pushed[u] == nil {
				h.pushed[u] = make(map[uint64]push)
			}
			if before, known := h.pushed[u][p.item.Index]; known && before != p {
				h.t.Errorf("item %d of %s was pushed as %+v and as %+v", p.item.Index, u, before, p)
			}
			h.pushed[u][p.item.Index] = p
		}
	}
}

// tell notes what somebody heard of an entry: its body, or only its kind.
func (h *groupTale) tell(conv domain.ConversationID, index uint64, what string) {
	if h.told[conv] == nil {
		h.told[conv] = make(map[uint64]string)
	}
	if before := h.told[conv][index]; len(what) > len(before) {
		h.told[conv][index] = what
	}
}

// check compares a server that has caught up with what follows from its chains.
func (h *groupTale) check() {
	due := make(map[domain.UserID]map[domain.ConversationID][]uint64)
	large := make(map[domain.UserID]uint64)
	for _, conv := range h.groups {
		chain, err := h.s.store.Chains.After(h.t.Context(), conv, 0, 10_000)
		must(h.t, err)
		p := project(h.t, chain)
		h.checkTold(conv, chain)
		h.checkRoster(conv, p)
		for u, entries := range p.inboxes {
			if due[u] == nil {
				due[u] = make(map[domain.ConversationID][]uint64)
			}
			due[u][conv] = entries
		}
		for u := range p.members {
			if p.read {
				large[u] += uint64(len(chain))
			}
		}
	}
	for _, u := range crew {
		h.checkInbox(u, due[u])
		state, refusal := h.s.svc.Newest(h.t.Context(), u)
		if refusal != nil {
			h.t.Fatal(refusal)
		}
		if state.Heads != large[u] {
			h.t.Errorf("heads of %s: %d, want %d", u, state.Heads, large[u])
		}
	}
}

func (h *groupTale) checkTold(conv domain.ConversationID, chain []chat.Message) {
	for index, what := range h.told[conv] {
		if index > uint64(len(chain)) {
			h.t.Errorf("entry %d was told of as %q and is gone", index, what)
			continue
		}
		m := chain[index-1]
		kind := map[chat.Kind]string{chat.Text: "text", chat.Members: "members"}[m.Kind]
		if what != string(m.Body) && what != kind {
			h.t.Errorf("entry %d was told of as %q and is %q", index, what, m.Body)
		}
	}
}

func (h *groupTale) checkRoster(conv domain.ConversationID, p *projection) {
	head, err := h.s.store.Chains.Roster(h.t.Context(), conv)
	must(h.t, err)
	got := make(map[domain.UserID]uint64)
	owners := 0
	for _, m := range head.Members {
		got[m.ID] = m.Since
		if m.Role == chat.Owner {
			owners++
		}
	}
	diff(h.t, "members with the entries that brought them", p.members, got)
	if len(got) > 0 && owners == 0 {
		h.t.Error("a group without an owner")
	}
	if (head.Diffusion == chat.Read) != p.read {
		h.t.Errorf("diffusion %d, the chain says otherwise", head.Diffusion)
	}
}

func (h *groupTale) checkInbox(u domain.UserID, due map[domain.ConversationID][]uint64) {
	got := make(map[domain.ConversationID][]uint64)
	for i, d := range h.s.inbox(u) {
		if d.Item.Index != uint64(i+1) || d.Item.Pre != uint64(i) {
			h.t.Errorf("item %d of %s: %+v", i+1, u, d.Item)
		}
		if p, known := h.pushed[u][d.Item.Index]; known && (p.item != d.Item || p.body != string(d.Message.Body)) {
			h.t.Errorf("item %d of %s was pushed as %+v, is now %+v", i+1, u, p, d)
		}
		got[d.Item.Conversation] = append(got[d.Item.Conversation], d.Item.Entry)
	}
	for conv, entries := range due {
		if !slices.Equal(entries, got[conv]) {
			h.t.Errorf("%s has the entries %v of %x, due are %v", u, got[conv], conv[:2], entries)
		}
	}
	for conv := range got {
		if len(due[conv]) == 0 {
			h.t.Errorf("%s has entries of %x, where he never was", u, conv[:2])
		}
	}
}
