package bench

import (
	"math/rand/v2"
	"runtime"
	"time"
)

// paceTick is the shortest sleep of the pacer: at more messages a second than
// its inverse several are sent at a time. Latency counts from the moment meant,
// so the tick is part of it.
const paceTick = 250 * time.Microsecond

// openLoop offers rate messages a second, evenly spaced, until stop is called
// or the load fails. Every conversation has its turn once a round, in an order
// drawn by seed. It falls behind on purpose: if the server or the machine is
// slow, messages are sent late and their latency says so. More than
// maxBehind unanswered messages end the load.
func (l *load) openLoop(rate float64, seed uint64, maxBehind int64) {
	order := rand.New(rand.NewPCG(seed, 2)).Perm(len(l.convs))
	l.watchers.Go(func() { l.pace(rate, order, maxBehind) })
}

func (l *load) pace(rate float64, order []int, maxBehind int64) {
	// The sleep is the kernel's, on a thread of its own: the runtime's timers
	// are good to a millisecond only.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	interval := float64(time.Second) / rate
	begin := l.now()
	for i := 0; !l.stopping.Load() && l.ctx.Err() == nil; {
		now := l.now()
		for ; ; i++ {
			at := begin + int64(float64(i)*interval)
			if at > now {
				sleepKernel(max(time.Duration(at-now), paceTick))
				break
			}
			if l.offered.Load()-l.accepted.Load() >= maxBehind {
				l.fail(&Failure{Code: ExitProduct, Err: &behindError{maxBehind, rate}})
				return
			}
			l.offer(l.convs[order[i%len(order)]], at/1000)
			if l.stopping.Load() {
				return
			}
		}
	}
}
