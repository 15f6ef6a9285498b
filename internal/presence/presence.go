// Package presence knows which users have a link, and tells those who watch.
//
// What it promises. A user is online from his first link on, and offline a
// short grace after his last one ended, so that a reconnect does not flicker. A
// watcher is told of a change at most once a second, all changes together, and
// the newest state of each user only: what came and went in between is not
// told. What a watcher is told comes in the order in which it was true.
//
// What it refuses. Presence is a hint: it is in no log and survives no process.
// It does not know who may watch whom, nor sockets. Memory is bounded: a
// watcher watches at most MaxWatched users, all together MaxWatches; a user is
// remembered only while he has a link, a grace, or a watcher.
package presence

import (
	"errors"
	"sync"
	"time"

	"github.com/merchantim/merchantim/domain"
)

// Bounds of memory.
const (
	MaxWatched = 100     // users of one watcher
	MaxWatches = 500_000 // (watcher, user) pairs of a board
)

// ErrFull says that too many watch already.
var ErrFull = errors.New("presence: too many watch")

// State is what is known of a user.
type State struct {
	User   domain.UserID
	Online bool
}

// Board holds the presence of the users of one process. All methods may be
// called concurrently.
type Board struct {
	grace, pause time.Duration
	stop         chan struct{}
	done         sync.WaitGroup

	mu      sync.Mutex
	users   map[domain.UserID]*user
	gone    []departure // in the order of time
	dirty   []*Watcher  // those with something to tell, each once
	watches int
}

type user struct {
	links    int
	until    time.Time // of the grace, if there is no link
	online   bool
	watchers map[*Watcher]struct{}
}

type departure struct {
	id domain.UserID
	at time.Time
}

// Watcher is told of the users that it watches. It belongs to a Board.
type Watcher struct {
	tell    func([]State)
	told    map[domain.UserID]bool // what it watches, and knows
	changed map[domain.UserID]struct{}
	gone    bool
}

// Options of a Board.
type Options struct {
	Grace time.Duration // how long after his last link a user counts as online
	Pause time.Duration // least time between two tellings of one watcher
}

// New makes a board and starts its one goroutine; Close ends it.
func New(o Options) *Board {
	b := &Board{grace: o.Grace, pause: o.Pause, stop: make(chan struct{}), users: make(map[domain.UserID]*user)}
	b.done.Add(1)
	go b.run()
	return b
}

// Close ends the telling.
func (b *Board) Close() {
	close(b.stop)
	b.done.Wait()
}

// Enter counts a new link of a user.
func (b *Board) Enter(id domain.UserID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.users[id]
	if u == nil {
		u = &user{}
		b.users[id] = u
	}
	u.links++
	b.turn(id, u, true)
}

// Leave counts a link less. Each belongs to one Enter.
func (b *Board) Leave(id domain.UserID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.users[id]
	if u == nil || u.links == 0 {
		return
	}
	if u.links--; u.links == 0 {
		u.until = time.Now().Add(b.grace)
		b.gone = append(b.gone, departure{id, u.until})
	}
}

// turn sets a user's state and marks who is to be told.
func (b *Board) turn(id domain.UserID, u *user, online bool) {
	if u.online == online {
		return
	}
	u.online = online
	for w := range u.watchers {
		if len(w.changed) == 0 {
			b.dirty = append(b.dirty, w)
			w.changed = make(map[domain.UserID]struct{})
		}
		w.changed[id] = struct{}{}
	}
}

// Ask tells the state of users now.
func (b *Board) Ask(ids []domain.UserID) []State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.states(ids)
}

func (b *Board) states(ids []domain.UserID) []State {
	all := make([]State, len(ids))
	for i, id := range ids {
		u := b.users[id]
		all[i] = State{id, u != nil && u.online}
	}
	return all
}

// Watcher makes a watcher that watches nobody. Tell must not block, nor call
// the board.
func (b *Board) Watcher(tell func([]State)) *Watcher { return &Watcher{tell: tell} }

// Watch makes w watch these users instead of those before, and calls answer
// with their state; what w is told later is newer. Answer is as tell. With
// ErrFull nothing changes, and answer is not called.
func (b *Board) Watch(w *Watcher, ids []domain.UserID, answer func([]State)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.gone || len(ids) > MaxWatched || b.watches-len(w.told)+len(ids) > MaxWatches {
		return ErrFull
	}
	b.unwatch(w)
	states := b.states(ids)
	w.told = make(map[domain.UserID]bool, len(ids))
	for _, s := range states {
		u := b.users[s.User]
		if u == nil {
			u = &user{}
			b.users[s.User] = u
		}
		if u.watchers == nil {
			u.watchers = make(map[*Watcher]struct{})
		}
		u.watchers[w] = struct{}{}
		w.told[s.User] = s.Online
	}
	b.watches += len(w.told)
	answer(states)
	return nil
}

// Drop ends a watcher.
func (b *Board) Drop(w *Watcher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unwatch(w)
	w.gone = true
}

// unwatch takes a watcher off its users. If it is marked as dirty it stays so,
// with nothing to tell.
func (b *Board) unwatch(w *Watcher) {
	for id := range w.told {
		u := b.users[id]
		delete(u.watchers, w)
		b.forget(id, u)
	}
	b.watches -= len(w.told)
	w.told = nil
}

// forget drops a user who is offline and watched by nobody.
func (b *Board) forget(id domain.UserID, u *user) {
	if u.links == 0 && !u.online && len(u.watchers) == 0 {
		delete(b.users, id)
	}
}
