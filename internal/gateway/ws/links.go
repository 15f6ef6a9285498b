package ws

import (
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// fullRetry is how long one waits who has all the links he may have; when one
// of them ends is up to him.
const fullRetry = 5 * time.Second

// signOn makes a connection one of its user's: it receives his pushes and
// shares his rates. Where he has all the links he may have, the oldest of the
// same device gives way; without one signOn returns false.
func (h *Hub) signOn(c *conn) bool {
	replaced, ok := h.bind(c)
	if !ok {
		return false
	}
	if replaced != nil {
		replaced.shut(wire.CloseReplaced, "a newer link of this device took its place")
	}
	c.quota = h.opt.Users.Use(c.user)
	h.opt.Presence.Enter(c.user)
	return true
}

// signOff undoes signOn.
func (h *Hub) signOff(c *conn) {
	if c.watcher != nil {
		h.opt.Presence.Drop(c.watcher)
	}
	if c.quota == nil {
		return
	}
	h.unbind(c)
	h.opt.Users.Release(c.user)
	h.opt.Presence.Leave(c.user)
}

func (h *Hub) bind(c *conn) (replaced *conn, ok bool) {
	s := h.userShard(c.user)
	s.mu.Lock()
	defer s.mu.Unlock()
	links := s.byUser[c.user]
	if most := h.opt.UserLinks; most > 0 && len(links) >= most {
		for _, other := range links { // the oldest is the first
			if other.device == c.device {
				replaced = other
				break
			}
		}
		if replaced == nil {
			return nil, false
		}
	}
	s.byUser[c.user] = append(without(links, replaced), c)
	return replaced, true
}

func (h *Hub) unbind(c *conn) {
	s := h.userShard(c.user)
	s.mu.Lock()
	defer s.mu.Unlock()
	if rest := without(s.byUser[c.user], c); len(rest) > 0 {
		s.byUser[c.user] = rest
	} else {
		delete(s.byUser, c.user)
	}
}

// without copies a list, which others may be reading, but for one connection.
func without(links []*conn, one *conn) []*conn {
	rest := make([]*conn, 0, len(links)+1)
	for _, c := range links {
		if c != one {
			rest = append(rest, c)
		}
	}
	return rest
}
