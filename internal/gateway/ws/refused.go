package ws

import (
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Sends that were refused for now, each conversation's newest. What a client
// had on the way behind it names it as its predecessor and would come to
// nothing: it is refused here, without a place in the log. Else a busy server
// would spend most of its work on that.

// refused is a send that was refused.
type refused struct {
	key   string
	until int64 // when it may come again, by the hub's clock
	end   int64 // of keeping it in mind: by then the client knows
}

// maxRefused is how many conversations a link keeps one of, and inMind how long.
const (
	maxRefused = 64
	inMind     = int64(time.Second)
)

// remember notes a refused send.
func (c *conn) remember(id domain.ConversationID, key []byte, r refused) {
	if c.refused == nil || len(c.refused) >= maxRefused {
		c.refused = make(map[domain.ConversationID]refused)
	}
	r.key = string(key)
	c.refused[id] = r
}

// rememberFor notes a send that may come again after a wait.
func (c *conn) rememberFor(id domain.ConversationID, key []byte, wait time.Duration) {
	until := c.at + int64(wait)
	c.remember(id, key, refused{until: until, end: until + inMind})
}

// follows refuses a send whose predecessor was refused shortly before.
func (c *conn) follows(f *wire.Frame) *domain.Error {
	r, known := c.refused[f.Conversation]
	switch {
	case !known || r.key != string(f.Predecessor):
		return nil
	case c.at >= r.end:
		delete(c.refused, f.Conversation)
		return nil
	}
	c.remember(f.Conversation, f.Key, r)
	return slower("The message before this one was refused.", max(time.Duration(r.until-c.at), time.Millisecond))
}
