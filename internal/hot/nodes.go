package hot

import (
	"context"
	"time"
)

// Routes tell on which nodes a user has links, and with it who is online. What
// is not said again expires: a node that died is out of it after the time to
// live that it gave. Names are any bytes. A wiped engine knows nobody until
// the nodes say it again.
type Routes interface {
	// Enter says that users have links on a node for ttl from now, whatever
	// was said before.
	Enter(ctx context.Context, node string, users []string, ttl time.Duration) error
	// Leave says that a user has no link on a node any more.
	Leave(ctx context.Context, node, user string) error
	// Where returns the nodes of each user, sorted by name; none: offline.
	Where(ctx context.Context, users []string) ([][]string, error)
}

// Posts carry pushes from node to node: at most once, in the order in which one
// sender's calls returned, to those who listen at that moment. Whatever is lost
// is found by the client through its heartbeat.
type Posts interface {
	// Post sends a message to whoever listens for a node; nobody is no error.
	Post(ctx context.Context, node string, message []byte) error
	// Listen calls take with each message for a node, one after another, until
	// ctx ends; it then returns nil. It calls ready when it has begun to
	// listen, and again whenever messages may have been lost in between. Slow
	// takers lose messages.
	Listen(ctx context.Context, node string, ready func(), take func(message []byte)) error
}

// Rate is one token each Every, and at most Burst at once.
type Rate struct {
	Every time.Duration // at least a microsecond
	Burst int           // at least 1
}

// Rates limit what all nodes together let one key do. A wiped engine has full
// buckets.
type Rates interface {
	// Take takes n tokens of the bucket of a key, or none and says after what
	// time they will be there if nobody takes any meanwhile. More than Burst
	// counts as Burst.
	Take(ctx context.Context, key string, r Rate, n int) (wait time.Duration, err error)
}
