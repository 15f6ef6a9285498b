package client

import "time"

// track is how far a chain was taken: the user's inbox, or a large group. It
// belongs to the loop.
type track struct {
	of    string // the group, "" if it is the inbox
	at    uint64 // newest entry taken, without a gap
	known uint64 // newest entry that is known to exist
	ahead []item // pushed behind a gap, ascending

	pull  string    // id of the request for more, "" if there is none
	after time.Time // no request before, after a refusal
	tries int       // refusals in a row

	lost bool // the server does not show us what comes next
	torn bool // and we are a member all the same: a hole is no mistake
}

// What is kept of a chain behind a gap; the rest is pulled again.
const (
	maxAhead     = 256 // of the inbox
	maxAheadHead = 32  // of a large group
)

// gap reports whether entries are missing that can be had.
func (t *track) gap() bool { return t.known > t.at && !t.lost }

// behind keeps an entry that cannot be taken yet.
func (t *track) behind(it item) {
	room := maxAhead
	if t.of != "" {
		room = maxAheadHead
	}
	if n := len(t.ahead); n < room && (n == 0 || t.ahead[n-1].index() < it.index()) {
		t.ahead = append(t.ahead, it)
	}
}

// relinked forgets what was asked on a link that is gone.
func (t *track) relinked() {
	t.pull, t.after, t.tries, t.ahead = "", time.Time{}, 0, nil
}

// item is an entry on its way to the user.
type item struct {
	message Message
	pre     uint64 // the entry before it in its track
	inbox   bool   // it is of the inbox, not of a large group
	silent  bool   // the user does not see it: this client sent it
	again   bool   // it was taken on another way: it only moves the position

	starts, ends bool // the group is followed by its head from here on, or no longer
}

// index is its place in its track.
func (it *item) index() uint64 {
	if it.inbox {
		return it.message.Inbox.Index
	}
	return it.message.Index
}
