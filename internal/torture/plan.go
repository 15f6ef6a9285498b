package torture

import (
	"math/rand/v2"
	"slices"
	"time"
)

// moment says when in a server's life the blow falls.
type moment int

const (
	underLoad moment = iota // at a time of the run, some while after ready
	onReady                 // shortly after ready, as the clients come back
	starting                // shortly after the start, in the middle of recovery
)

// blow is one kill. at is the time since the load began (underLoad), since
// ready (onReady) or since the start of the process (starting). With grace the
// server is told to stop first, and killed so much later, if it still runs.
type blow struct {
	when  moment
	at    time.Duration
	grace time.Duration
}

// Bounds of the short delays.
const (
	maxAfterReady = 80 * time.Millisecond
	maxAfterStart = 160 * time.Millisecond
	maxGrace      = 300 * time.Millisecond
)

// plan spreads the kills over d: about 60 % under load at random times, a sixth
// of these in the middle of a graceful stop; the rest in pairs with one of them,
// at once after ready or before it. The last falls under load at the end of d.
func plan(rng *rand.Rand, kills int, d time.Duration) []blow {
	blows := make([]blow, kills)
	loads := 0
	for i := range blows {
		switch p := rng.IntN(10); {
		case p < 6 || i == kills-1:
			blows[i].when = underLoad
			if p == 0 && i < kills-1 {
				blows[i].grace = 1 + rand64(rng, maxGrace)
			}
			loads++
		case p < 8:
			blows[i] = blow{when: onReady, at: rand64(rng, maxAfterReady)}
		default:
			blows[i] = blow{when: starting, at: rand64(rng, maxAfterStart)}
		}
	}
	times := make([]time.Duration, loads)
	for i := range times {
		times[i] = rand64(rng, d)
	}
	slices.Sort(times)
	times[loads-1] = d
	for i := range blows {
		if blows[i].when == underLoad {
			blows[i].at, times = times[0], times[1:]
		}
	}
	return blows
}

func rand64(rng *rand.Rand, below time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(max(below, 1))))
}
