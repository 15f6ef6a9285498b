package pipeline_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/merchantim/merchantim/domain"
)

var (
	crashes   = flag.Int("crashes", 60, "how many histories with losses of power are tried")
	crashSeed = flag.Uint64("crashseed", 0, "the first history")
)

// Whatever happens before the power goes, every answer stays true: the message
// is there, once, at its index; inboxes are a projection of the chains; pushed
// places of an inbox keep their meaning.
func TestCrashes(t *testing.T) {
	for seed := *crashSeed; seed < *crashSeed+uint64(*crashes); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { newTale(t, seed).run() })
	}
}

// tale is a history of several lives with what its people know.
type tale struct {
	t   testing.TB
	rng *rand.Rand
	m   *machine
	s   *server

	convs   []domain.ConversationID
	members map[domain.ConversationID][2]domain.UserID
	sends   []sent            // all that were tried, in every life
	tries   map[string]int    // request → place in sends
	last    map[string]string // conversation and sender → newest key
	known   *knowledge
}

// sent is a message that somebody tried to send.
type sent struct {
	conv            domain.ConversationID
	from            domain.UserID
	key, after, txt string
}

var people = []domain.UserID{"ann", "bob", "eve", "joe"}

func newTale(t testing.TB, seed uint64) *tale {
	rng := rand.New(rand.NewPCG(seed, 7))
	m := newMachine(t)
	m.partitions = int32(1 + rng.IntN(3))
	m.batch = 1 + rng.IntN(40)
	m.eager = rng.IntN(2) == 0
	m.writer.FlushBytes = []int64{100, 5_000, 1 << 20}[rng.IntN(3)]
	m.writer.FlushInterval = time.Duration(1+rng.IntN(4)) * time.Millisecond
	m.writer.CheckpointInterval = time.Duration(rng.IntN(3)) * 4 * time.Millisecond
	return &tale{
		t: t, rng: rng, m: m, members: make(map[domain.ConversationID][2]domain.UserID),
		tries: make(map[string]int), last: make(map[string]string), known: newKnowledge(),
	}
}

func (h *tale) run() {
	for range 2 + h.rng.IntN(3) {
		h.s = h.m.start(people...)
		h.check()
		for range h.rng.IntN(60) {
			h.act()
		}
		if h.rng.IntN(4) == 0 {
			h.s.stop()
		} else {
			h.m.kill(h.s, h.rng)
		}
		h.learn()
	}
	h.s = h.m.start(people...)
	h.check()
	h.s.stop()
}

// act does one thing that a client, or a defect, may do.
func (h *tale) act() {
	if len(h.convs) == 0 || h.rng.IntN(20) == 0 {
		h.open()
		return
	}
	conv := h.convs[h.rng.IntN(len(h.convs))]
	who := h.members[conv][h.rng.IntN(2)]
	switch n := h.rng.IntN(20); {
	case n < 12:
		h.say(conv, who, h.rng.IntN(4) == 0)
	case n < 15 && len(h.sends) > 0:
		h.again(h.sends[h.rng.IntN(len(h.sends))])
	case n < 16:
		h.s.raw(conv, []byte("garbage"))
	case n < 18:
		h.read(conv, who)
	default:
		time.Sleep(time.Duration(h.rng.IntN(3000)) * time.Microsecond)
	}
}

func (h *tale) open() {
	a := h.rng.IntN(len(people))
	b := (a + 1 + h.rng.IntN(len(people)-1)) % len(people)
	conv := h.s.talk(people[a], people[b])
	if _, known := h.members[conv]; !known {
		h.convs = append(h.convs, conv)
		h.members[conv] = [2]domain.UserID{people[a], people[b]}
	}
}

// say sends something new, after what this sender said last; wait is for the
// answer.
func (h *tale) say(conv domain.ConversationID, who domain.UserID, wait bool) {
	chain := string(conv[:]) + string(who)
	x := sent{conv, who, fmt.Sprint("k", len(h.sends)), h.last[chain], fmt.Sprint("text ", len(h.sends))}
	switch h.rng.IntN(8) {
	case 0:
		x.after = ""
	case 1:
		x.after = fmt.Sprint("k", h.rng.IntN(len(h.sends)+2)) // maybe not yet sent, maybe of others
	}
	h.last[chain] = x.key
	request := h.try(x)
	if wait {
		h.s.links.answer(h.t, request)
	}
}

// again sends a message of this or an earlier life again, as it was or changed.
func (h *tale) again(x sent) {
	if h.rng.IntN(4) == 0 {
		x.txt += "!"
	}
	h.try(x)
}

func (h *tale) try(x sent) string {
	request := h.s.post(x.conv, x.from, x.key, x.after, x.txt)
	h.tries[request] = len(h.sends)
	h.sends = append(h.sends, x)
	return request
}

func (h *tale) read(conv domain.ConversationID, who domain.UserID) {
	lines := h.s.history(conv, who)
	if len(lines) == 0 {
		return
	}
	at := lines[h.rng.IntN(len(lines))]
	h.s.read(conv, who, at.Index)
	h.known.read(conv, who, at)
}
