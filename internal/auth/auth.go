// Package auth holds the server's keys and the tokens that they sign.
//
// It promises that no secret is shipped: keys are made at the first start, in
// files that only their owner can read, and a folder or file that others can
// read is refused. A token is a JWT signed with Ed25519; it proves who its
// bearer is until it expires. It refuses every other algorithm, whatever the
// token says of itself, and its errors never hold a key or a token.
//
// It knows nothing of what a user may do, and cannot call a token back before
// it expires.
package auth

import (
	"errors"
	"time"
)

const (
	// Issuer and audience of every token.
	name = "merchantim"
	// MaxTTL is the longest life of a token.
	MaxTTL = 366 * 24 * time.Hour
	// MaxUser is the longest user id, in bytes.
	MaxUser = 64
	// maxToken is more than any token made here; longer ones are not parsed.
	maxToken = 2048
	// leeway is how far the clocks of two processes may stand apart.
	leeway = 5 * time.Second
)

// Errors of this package; returned errors wrap them.
var (
	// ErrToken: not a valid token of this server. The text says why, in words
	// that may be shown to its bearer.
	ErrToken = errors.New("auth: bad token")
	// ErrUser: not a user id.
	ErrUser = errors.New("auth: a user id is 1 to 64 characters of a-z A-Z 0-9 . _ -")
	// ErrKeys: keys that are missing, damaged or readable by others.
	ErrKeys = errors.New("auth: keys")
)

// Claims are what a verified token says.
type Claims struct {
	User     string
	ID       string // of the token
	IssuedAt time.Time
	Expires  time.Time
}

// CheckUser returns ErrUser unless user is 1–64 of [a-zA-Z0-9._-].
func CheckUser(user string) error {
	if user == "" || len(user) > MaxUser {
		return ErrUser
	}
	for i := range len(user) {
		switch c := user[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return ErrUser
		}
	}
	return nil
}
