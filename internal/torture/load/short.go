package load

import "github.com/merchantim/merchantim/internal/torture/trail"

// maxPoll is the longest wait of a long poll in milliseconds: short enough that
// what stays unanswered is a stall.
const maxPoll = 3000

// poll waits for the inbox on the short link: the next poll follows the last one.
func (c *client) poll(waitMS int64) {
	if c.polling || c.pulling {
		return
	}
	c.polling = true
	c.ask(trail.Frame{Type: "inbox", After: trail.IndexRef(c.copy.Inbox), Limit: 1 + c.rng.IntN(300), WaitMS: waitMS,
		Entry: trail.Entry{Inbox: &trail.Place{Heads: c.copy.Sum()}}}, question{kind: "poll"})
}

// crossed repeats the newest message with a receipt of each lane after a change
// of links, as a client does that does not know what became of it.
func (c *client) crossed() {
	if c.short == c.wasShort {
		return
	}
	c.wasShort = c.short
	for _, l := range c.lanes {
		if n := len(l.recent); n > 0 {
			m := l.recent[n-1]
			c.deliberate(trail.Same, l.frame("", m.key, m.after, m.text))
		}
	}
}

// list follows the list from the version that the client has it of, to its end,
// or looks at its top. One at a time: see keep.
func (c *client) list(follow bool) {
	if c.listing {
		return
	}
	c.listing = true
	f := trail.Frame{Type: "list", Limit: 1 + c.rng.IntN(8)}
	if follow {
		f.Since = c.copy.Version()
	}
	c.ask(f, question{kind: "list", list: f, follow: follow})
}

// listed takes a page of the list.
func (c *client) listed(f trail.Frame, q question) {
	c.listing = false
	c.copy.List(q.list, f)
	if f.Cursor == "" || !q.follow {
		return
	}
	c.listing = true
	next := q.list
	next.Cursor, next.Limit = f.Cursor, 1+c.rng.IntN(30)
	c.ask(next, question{kind: "list", list: next, follow: true})
}
