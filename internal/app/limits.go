package app

import (
	"net"
	"time"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/gateway/limit"
)

// How presence is told.
const (
	presenceGrace = 3 * time.Second
	presencePause = time.Second
)

// maxLag is how many records a stage may be behind before senders are asked to wait.
const maxLag = 20_000

func (a *App) full() bool { return a.store.PendingBytes() > 3*int64(a.cfg.Store.FlushBytes)/2 }

// load is how far the stages are behind, and how far they should be at most:
// half of what makes all wait, so that the users who send most are held back
// first, and since a stage far behind works more slowly. That the store is full
// is seen by its refusals.
func (a *App) load() (behind, most float64) {
	return float64(a.accept.Behind()), maxLag / 2
}

func newUsers(l *config.Limits) *limit.Users {
	return limit.NewUsers(limit.Rates{
		Sends: limit.PerSecond(l.SendsPerSecond, l.SendsBurst),
		Asks:  limit.PerSecond(l.RequestsPerSecond, l.RequestsBurst),
	})
}

// listen binds the address of the links and puts the gate in front of it.
func (a *App) listen() error {
	l, err := net.Listen("tcp", a.cfg.Listen)
	if err != nil {
		return err
	}
	a.listener = limit.NewGate(l, limit.GateOptions{
		PerAddress: a.cfg.Limits.ConnectionsPerAddress,
		HalfOpen:   a.cfg.Limits.HalfOpen, HalfOpenPerAddress: a.cfg.Limits.HalfOpenPerAddress,
	})
	return nil
}
