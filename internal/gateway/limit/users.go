package limit

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/merchantim/merchantim/domain"
)

// Rates of one user over all his links.
type Rates struct {
	Sends Rate // messages
	Asks  Rate // all other requests
}

const shards = 64

// Users holds what each user may still do. All methods may be called
// concurrently.
type Users struct {
	Shed  Shed
	rates Rates
	seed  maphash.Seed
	shard [shards]userShard
}

type userShard struct {
	mu sync.Mutex
	of map[domain.UserID]*User
}

// User is one user's buckets. Whoever handles his requests keeps the pointer.
type User struct {
	all               *Users
	sends, asks, fair Bucket
	uses              int // under the shard's lock
}

// NewUsers makes an empty table.
func NewUsers(r Rates) *Users {
	u := &Users{rates: r, seed: maphash.MakeSeed()}
	for i := range u.shard {
		u.shard[i].of = make(map[domain.UserID]*User)
	}
	return u
}

func (u *Users) at(id domain.UserID) *userShard {
	return &u.shard[maphash.String(u.seed, string(id))%shards]
}

// Use returns a user's buckets until Release is called for them.
func (u *Users) Use(id domain.UserID) *User {
	s := u.at(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.of[id]
	if one == nil {
		one = &User{all: u}
		s.of[id] = one
	}
	one.uses++
	return one
}

// Release ends one use. The user is remembered until his buckets are full, so
// that a new link does not bring new tokens.
func (u *Users) Release(id domain.UserID) {
	s := u.at(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.of[id]; one != nil {
		one.uses--
	}
}

// Forget drops users that nobody uses and whose buckets are full.
func (u *Users) Forget(now int64) {
	for i := range u.shard {
		s := &u.shard[i]
		s.mu.Lock()
		for id, one := range s.of {
			if one.uses <= 0 && one.sends.Full(now) && one.asks.Full(now) && one.fair.Full(now) {
				delete(s.of, id)
			}
		}
		s.mu.Unlock()
	}
}

// Len is how many users are remembered.
func (u *Users) Len() (n int) {
	for i := range u.shard {
		s := &u.shard[i]
		s.mu.Lock()
		n += len(s.of)
		s.mu.Unlock()
	}
	return n
}

// Send takes a message's token, or says when there is one.
func (u *User) Send(now int64) (wait time.Duration) {
	if wait := u.fair.Take(u.all.Shed.rate(), now, 1); wait > 0 {
		return wait
	}
	return u.sends.Take(u.all.rates.Sends, now, 1)
}

// Ask takes the tokens of another request, or says when there are as many.
// Writes take from the share of a busy server, too.
func (u *User) Ask(now, cost int64, writes bool) (wait time.Duration) {
	if writes {
		if wait := u.fair.Take(u.all.Shed.rate(), now, 1); wait > 0 {
			return wait
		}
	}
	return u.asks.Take(u.all.rates.Asks, now, cost)
}
