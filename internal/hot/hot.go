// Package hot is the port to hot state: what can be lost at any moment and is
// filled again from the store. Engines: memory (embedded profile) and later
// Redis. Every engine passes the suite in hottest.
package hot

import (
	"context"
	"errors"
)

// ErrNotFilled: the set is not (or no longer) complete; fill it from the store.
var ErrNotFilled = errors.New("hot: not filled")

// MaxScore bounds the scores of members: 0 to MaxScore, which a float64 holds
// exactly. Milliseconds reach it in 287,000 years.
const MaxScore = 1<<53 - 1

// Item is a member of a recent set, any bytes, with its score (unix
// milliseconds).
type Item struct {
	Member string
	Score  int64
}

// Recents are sorted sets, one a user, highest score first, ties by member
// descending, bytewise. A set is absent, filling or complete. An engine bounds
// its memory by forgetting whole sets, least recently used first.
//
// All methods may be called at once by many goroutines. A call whose context
// is already cancelled returns the context's error and changes nothing.
type Recents interface {
	// Touch raises a member's score in a set that is filling or complete
	// (never lowers it), and does nothing for an absent one.
	Touch(ctx context.Context, set string, item Item) error
	// Begin makes an absent set filling, so that touches from now on are kept
	// while the caller reads the store. For another set it does nothing.
	Begin(ctx context.Context, set string) error
	// Fill adds items to a filling set, the higher score winning, and
	// completes it. A complete set takes the items in the same way: of two
	// that fill at once, the first may have read the store before the set was
	// forgotten and begun again by the second, who adds what is missing. A set
	// forgotten since Begin, and not begun again, gives ErrNotFilled. The items
	// stay the caller's, in any order, a member possibly more than once.
	Fill(ctx context.Context, set string, items []Item) error
	// Top returns up to limit items of a complete set that come after the
	// given one in the set's order (nil: from the top), or ErrNotFilled. The
	// given item need not be in the set, and its score may be any. A limit
	// below 1 returns none.
	Top(ctx context.Context, set string, after *Item, limit int) ([]Item, error)
	// Forget drops a set.
	Forget(ctx context.Context, set string) error
}
