package client

import (
	"math/rand/v2"
	"time"
)

// BackOff is exponential back-off with full jitter.
type BackOff struct{ Base, Max time.Duration }

// wait returns a random wait between 0 and min(Max, Base × 2^tries).
func (b BackOff) wait(tries int) time.Duration {
	top := b.Max
	if tries < 30 && b.Base<<tries < top && b.Base<<tries > 0 {
		top = b.Base << tries
	}
	return rand.N(top + 1)
}

// resend is the wait before a refused frame is sent again: at least what the
// server asked for, and a random part that doubles with each refusal in a row.
func resend(asked time.Duration, tries int) time.Duration {
	return asked + BackOff{Base: 10 * time.Millisecond, Max: 2 * time.Second}.wait(tries)
}
