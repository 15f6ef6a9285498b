package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/merchantim/merchantim/internal/torture/keep"
	"github.com/merchantim/merchantim/internal/torture/link"
	"github.com/merchantim/merchantim/internal/torture/trail"
)

// Times of a client.
const (
	tick      = 8 * time.Millisecond
	dialLimit = 3 * time.Second
	helloWait = 10 * time.Second
	stallTime = 15 * time.Second // no answer for so long on a live link: give the link up
)

// question is a request without its answer. lane and msg are set for an
// attempt of a message; probe says that the answer does not matter here.
type question struct {
	kind   string
	lane   *lane
	msg    *message
	found  *founding
	list   trail.Frame // of a list: what was asked, and whether to the end
	follow bool
	conv   string // of a history that fills a gap, and after which index
	after  int64
	at     time.Time
}

// client is one device of one user. Everything belongs to the goroutine of run.
type client struct {
	cfg     *Config
	user    User
	device  string
	rng     *rand.Rand
	trail   *trail.Writer
	rooms   *Rooms
	names   []string // of the whole cast
	lanes   []*lane
	rate    float64 // acts a second
	maxText int

	ids, keys, marks, links int

	copy        *keep.Copy
	crews       map[string]*crew // of the groups whose beginning it saw
	founding    []*founding      // groups asked for and not yet there
	founded     []trail.Frame    // those that are
	foundings   int
	outstanding int
	budget      float64

	// of the link that is up
	link    *link.Link
	asked   map[string]question
	out     [][]byte
	outLen  int
	pulling bool
	filling map[string]bool // groups whose history is asked for
	heads   bool            // heads are asked for
	polling bool            // a long poll is under way
	listing bool            // a list is asked for
	dead    error
	pinged  time.Time
	short   bool // it is a short link

	wasShort bool      // the link before was one
	moves    bool      // now the long link, now the short one
	stays    bool      // the short link always
	settling bool      // the load is over: nothing is sent, what is missing is got
	seeking  bool      // while settling: something was found to be missing
	denied   bool      // while settling: something was refused
	patience time.Time // before then nothing is opened or founded: the server asked to wait

	stats Stats
}

// run connects again and again until ctx ends.
func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := c.connect(ctx); err != nil {
			c.stats.FailedDials++
			sleep(ctx, time.Duration(5+c.rng.IntN(60))*time.Millisecond)
			continue
		}
		c.session(ctx)
	}
}

func (c *client) connect(ctx context.Context) error {
	return c.dial(ctx, c.stays || c.moves && c.rng.IntN(2) == 0)
}

func (c *client) dial(ctx context.Context, short bool) error {
	dctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	c.short = short
	dial := link.Dial
	if c.short {
		dial = link.DialShort
	}
	l, err := dial(dctx, c.cfg.Addr)
	if err != nil {
		return err
	}
	c.links++
	c.stats.Links++
	if c.short {
		c.stats.ShortLinks++
	}
	c.link, c.asked, c.dead, c.pulling = l, map[string]question{}, nil, false
	c.filling, c.heads, c.polling, c.listing = map[string]bool{}, false, false, false
	c.copy.Broken()
	c.out, c.outLen, c.pinged = nil, 0, time.Now()
	c.trail.Up(c.links)
	return nil
}

// session is the life of one link: hello, then acts at each tick and answers
// as they come, until it breaks or ctx ends.
func (c *client) session(ctx context.Context) {
	code, why := 0, "end of the load"
	defer func() {
		c.link.Close()
		c.trail.Down(c.links, code, why)
	}()
	c.ask(c.hello(), question{kind: "hello"})
	c.flush()
	greeted := false
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	started := time.Now()
	for c.dead == nil {
		select {
		case r := <-c.link.In:
			greeted = c.hear(r) || greeted
			c.dead, code = r.Err, r.Code
		case <-ticker.C:
			switch {
			case greeted:
				c.act()
			case time.Since(started) > helloWait:
				c.dead = fmt.Errorf("no welcome for %v", helloWait)
				c.stats.Stalls++
			}
		case <-ctx.Done():
			return
		}
		c.flush()
	}
	why = c.dead.Error()
}

// hear takes what came, and reports whether it was a welcome.
func (c *client) hear(r link.Received) bool {
	welcome := false
	for i, f := range r.Frames {
		c.trail.Received(c.links, r.Raw[i])
		welcome = welcome || f.Type == "welcome"
		c.answer(f)
	}
	return welcome
}

func (c *client) nextID() string {
	c.ids++
	return strconv.Itoa(c.ids)
}

// ask queues a request that is no message.
func (c *client) ask(f trail.Frame, q question) {
	f.ID = c.nextID()
	q.at = time.Now()
	if q.kind == "" {
		q.kind = f.Type
	}
	c.asked[f.ID] = q
	c.queue(encode(c.rng, f))
}

// queue adds a frame to what goes out with the next flush, within the limits
// of a WebSocket message.
func (c *client) queue(raw []byte) {
	if c.outLen+len(raw)+1 > link.MaxBytes || len(c.out) == link.MaxFrames {
		c.flush()
	}
	c.out = append(c.out, raw)
	c.outLen += len(raw) + 1
}

// flush sends the queue, mostly as one WebSocket message, else as one a frame.
func (c *client) flush() {
	out := c.out
	c.out, c.outLen = nil, 0
	if len(out) == 0 || c.dead != nil {
		return
	}
	for _, raw := range out {
		c.trail.Sent(c.links, raw)
	}
	if c.rng.IntN(4) > 0 {
		c.dead = c.link.Send(out...)
		return
	}
	for _, raw := range out {
		if c.dead = c.link.Send(raw); c.dead != nil {
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
