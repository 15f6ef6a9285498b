package limit

import (
	"sync/atomic"
	"time"
)

// Shed divides what a busy server can take among its users. While there is
// pressure every user is held to the same rate, the share, by which the server
// stays about half as far behind as it may be. Whoever asks for less than the
// share is not touched: so those who sent least lately get through first, and
// nobody gains by sending more.
//
// Each tick measures what the server took and what it worked off, and aims at
// taking what it works off, more or less as it is behind:
//
//	aim   = worked off × (1½ − behind ÷ most), at least ¼, while refusing at most ¾ of it
//	share ← share × (aim ÷ taken), never more than 5 % up or 30 % down
//
// The share rises only if somebody was held back, and falls only while the
// server is more than half behind, or refuses anyone. It begins at what all
// users together got through, and ends when for a while nobody was held back.
// DESIGN.md tells what else was tried.
//
// The zero value is ready; one goroutine calls Tick.
type Shed struct {
	per     atomic.Int64 // ns a request of each user; 0: no pressure
	taken   atomic.Int64 // requests since the last tick
	refused atomic.Bool  // since the last tick the server was too full for some
	held    atomic.Bool  // since the last tick some users were held to the share

	// Of the goroutine that calls Tick.
	behind float64       // at the last tick
	rate   float64       // taken a second
	served float64       // worked off a second
	calm   time.Duration // since anyone was held back
}

// Bounds of the share, in ns a request: one a second, and more than anyone can use.
const (
	slowest = float64(time.Second)
	fastest = float64(time.Second) / 50_000
)

// A user may make so many requests at once under pressure, and those of some
// time at his share: clients gather what they send.
const (
	shareBurst = 8
	shareDepth = int64(100 * time.Millisecond)
)

// Took notes requests that the server took.
func (s *Shed) Took(n int) { s.taken.Add(int64(n)) }

// Refused notes that the server was too full to take any.
func (s *Shed) Refused() { s.refused.Store(true) }

// Tick sets the share anew after some time has passed. The server is so many
// requests behind, and should never be more than most.
func (s *Shed) Tick(passed time.Duration, behind, most float64) {
	taken, refused, held := float64(s.taken.Swap(0)), s.refused.Swap(false), s.held.Swap(false)
	s.rate += (taken/passed.Seconds() - s.rate) / 2
	s.served += (max(0, taken-(behind-s.behind))/passed.Seconds() - s.served) / 10
	s.behind = behind
	over := refused || behind > most/2
	per := float64(s.per.Load())
	if per == 0 {
		if !over {
			return
		}
		per = float64(time.Second) / max(s.served, s.rate, 1000)
	}
	room := max(1.5-behind/most, 0.25) // who takes next to nothing need not take less
	if refused {                       // for another reason than the queue, maybe
		room = min(room, 0.75)
	}
	change := max(s.served, 1) * room / max(s.rate, 1)
	switch s.calm += passed; {
	case over:
		per /= min(max(change, 0.7), 1)
		s.calm = 0
	case held:
		per /= min(max(change, 0.9), 1.05)
		s.calm = 0
	}
	per = min(per, slowest)
	if s.calm > time.Second+2*time.Duration(shareRate(int64(per)).depth) || per < fastest {
		per = 0
	}
	s.per.Store(int64(per))
}

// shareRate is the rate of a share; no limit without pressure.
func shareRate(per int64) Rate {
	if per == 0 {
		return Rate{}
	}
	return Rate{per: per, depth: per*shareBurst + shareDepth}
}

// take takes from a user's share.
func (s *Shed) take(b *Bucket, now int64) time.Duration {
	per := s.per.Load()
	if per == 0 {
		return 0
	}
	wait := b.Take(shareRate(per), now, 1)
	if wait > 0 {
		s.held.Store(true)
	}
	return wait
}

// Share is how many requests a second each user is held to; 0: no pressure.
func (s *Shed) Share() float64 {
	per := s.per.Load()
	if per == 0 {
		return 0
	}
	return float64(time.Second) / float64(per)
}
