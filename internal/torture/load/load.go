package load

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"path/filepath"
	"sync"

	"github.com/merchantim/merchantim/internal/torture/keep"
	"github.com/merchantim/merchantim/internal/torture/trail"
)

// Config of the load.
type Config struct {
	Addr   string  // host:port of the long link
	Dir    string  // where the trails go
	Seed   uint64  //
	Rate   float64 // acts a second, of all clients together
	Window int     // messages of a client without a receipt, at most
	Clock  trail.Clock
}

// Stats are sums over all clients, for the report; the verdict comes from the trails.
type Stats struct {
	Acked, Pushed, Links, FailedDials int
	Stalls                            int // links given up for want of an answer
	LostTails                         int // pongs that told of entries never pushed
	Recovered                         int // welcomes that said that all was there
	Groups, Changes                   int // made, and asked for
	ShortLinks                        int // of the links
	Moved                             int // messages sent again on the other link
	Settled                           int // clients that got all that they lacked in the end
	Gaps                              int // times that a group's history was pulled for what was not pushed
	Refusals                          map[string]int
}

func (s *Stats) refused(code string) {
	if s.Refusals == nil {
		s.Refusals = map[string]int{}
	}
	s.Refusals[code]++
}

func (s *Stats) add(o Stats) {
	s.Acked += o.Acked
	s.Pushed += o.Pushed
	s.Links += o.Links
	s.FailedDials += o.FailedDials
	s.Stalls += o.Stalls
	s.LostTails += o.LostTails
	s.Recovered += o.Recovered
	s.Groups += o.Groups
	s.Changes += o.Changes
	s.Gaps += o.Gaps
	s.ShortLinks += o.ShortLinks
	s.Moved += o.Moved
	s.Settled += o.Settled
	for code, n := range o.Refusals {
		for range n {
			s.refused(code)
		}
	}
}

// TrailFile is where the trail of a user's device goes.
func TrailFile(dir, user, device string) string {
	return filepath.Join(dir, user+"."+device+".jsonl")
}

// Load is the clients of a run.
type Load struct{ clients []*client }

// New makes the clients and their trails.
func New(cfg Config, cast []User, rooms *Rooms) (*Load, error) {
	clients, err := engage(&cfg, cast, rooms)
	return &Load{clients}, err
}

// Run lets the cast work until ctx ends.
func (l *Load) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, c := range l.clients {
		wg.Go(func() { c.run(ctx) })
	}
	wg.Wait()
}

// Settle has each client come back once more, to a server at rest, and get all
// that it lacks; then its trail says that it is whole. Not while Run works.
func (l *Load) Settle(ctx context.Context) {
	var wg sync.WaitGroup
	free := make(chan struct{}, settlers)
	for _, c := range l.clients {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			c.settle(ctx)
		})
	}
	wg.Wait()
}

// Stats are what the clients did. Not while Run or Settle works.
func (l *Load) Stats() Stats {
	var total Stats
	for _, c := range l.clients {
		total.add(c.stats)
	}
	return total
}

// Close completes the trails. An error is one of the harness: a trail could not
// be written.
func (l *Load) Close() error { return closeAll(l.clients) }

func engage(cfg *Config, cast []User, rooms *Rooms) ([]*client, error) {
	var clients []*client
	names := make([]string, len(cast))
	for i := range cast {
		names[i] = cast[i].Name
	}
	for i, user := range cast {
		for _, device := range user.Devices {
			w, err := trail.Create(TrailFile(cfg.Dir, user.Name, device), cfg.Clock)
			if err != nil {
				return nil, errors.Join(err, closeAll(clients))
			}
			h := fnv.New64a()
			_, _ = h.Write([]byte(user.Name + "/" + device))
			c := &client{
				cfg: cfg, user: user, device: device, trail: w, rooms: rooms, maxText: 1024,
				names: names, copy: keep.New(user.Name), crews: map[string]*crew{},
				rng: rand.New(rand.NewPCG(cfg.Seed, h.Sum64())),
			}
			c.stays, c.moves = device == user.Devices[0] && i%6 == 1, i%3 == 2 || device != user.Devices[0]
			if device == user.Devices[0] && i%founderEvery == 0 {
				c.foundings = maxFoundings
			}
			for _, peer := range user.Peers {
				c.lanes = append(c.lanes, &lane{peer: peer})
			}
			clients = append(clients, c)
		}
	}
	for _, c := range clients {
		c.rate = cfg.Rate / float64(len(clients))
	}
	return clients, nil
}

func closeAll(clients []*client) error {
	var errs []error
	for _, c := range clients {
		errs = append(errs, c.trail.Close())
	}
	return errors.Join(errs...)
}
