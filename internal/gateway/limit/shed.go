package limit

import (
	"sync/atomic"
	"time"
)

// Shed divides what a busy server can take among its users. While there is
// pressure every user is held to the same rate, the share; it is set so that the
// server stays half as far behind as it may be. Whoever asks for less than the
// share is not touched: so those who sent least lately get through first, and
// nobody gains by sending more.
//
// The load is how far the server is behind: 0 not at all, 1 so far that it
// refuses everyone. Each tick changes the share by what the load is off its
// target, and by what it changed since the last tick, which keeps the one from
// swinging about the other:
//
//	share ← share ÷ (1 + 0.3 × (load − ½) + 2 × (load − load before))
//
// within a quarter up and a half down, a half down whenever the server refused
// anyone. It begins at what all users together got through, and ends when
// nobody can reach it.
//
// The zero value is ready; one goroutine calls Tick.
type Shed struct {
	per     atomic.Int64 // ns a request of each user; 0: no pressure
	taken   atomic.Int64 // requests since the last tick
	refused atomic.Bool  // the server refused some since the last tick
	load    float64      // at the last tick
}

// Bounds of the share: one request a second, and more than anyone can use.
const (
	smallest = int64(time.Second)
	largest  = int64(time.Second) / 50_000
)

// target is the load that the share is set for.
const target = 0.5

// A user may make so many requests at once under pressure, and those of some
// time at his share: clients gather what they send.
const (
	shareBurst = 8
	shareDepth = int64(25 * time.Millisecond)
)

// Took notes requests that the server took.
func (s *Shed) Took(n int) { s.taken.Add(int64(n)) }

// Refused notes that the server was too full to take any.
func (s *Shed) Refused() { s.refused.Store(true) }

// Tick sets the share anew after some time has passed.
func (s *Shed) Tick(passed time.Duration, load float64) {
	taken, refused := s.taken.Swap(0), s.refused.Swap(false)
	per := s.per.Load()
	rise := load - s.load
	s.load = load
	if per == 0 {
		if load <= target && !refused {
			return
		}
		per = max(int64(passed)/max(taken, 1), largest)
	}
	change := min(max(0.3*(load-target)+2*rise, -0.2), 1)
	if refused {
		change = 1
	}
	if per = min(per+int64(float64(per)*change), smallest); per <= largest && change < 0 {
		per = 0
	}
	s.per.Store(per)
}

// rate is the share now; no limit without pressure.
func (s *Shed) rate() Rate {
	per := s.per.Load()
	if per == 0 {
		return Rate{}
	}
	return Rate{per: per, depth: per*shareBurst + shareDepth}
}

// Share is how many requests a second each user is held to; 0: no pressure.
func (s *Shed) Share() float64 {
	per := s.per.Load()
	if per == 0 {
		return 0
	}
	return float64(time.Second) / float64(per)
}
