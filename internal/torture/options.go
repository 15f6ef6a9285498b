package torture

import (
	"errors"
	"fmt"
	"time"

	"github.com/merchantim/merchantim/internal/torture/fault"
)

// options of a run.
type options struct {
	kills    int
	duration time.Duration
	power    float64 // share of the server's lives that end with a loss of power
	users    int
	rate     float64 // acts a second, of all clients together
	window   int     // messages of a client without a receipt
	seed     uint64
	dir      string // empty: a new temporary one
	keep     bool   // keep the folder of a clean run
	fault    string
	exe      string
}

var errOptions = errors.New("torture")

func (o options) check() error {
	switch {
	case o.kills < 1 || o.kills > 10_000:
		return fmt.Errorf("%w: --kills is 1 to 10000", errOptions)
	case o.duration < time.Second || o.duration > 24*time.Hour:
		return fmt.Errorf("%w: --duration is 1s to 24h", errOptions)
	case o.power < 0 || o.power > 1:
		return fmt.Errorf("%w: --power is 0 to 1", errOptions)
	case o.users < 4 || o.users > 1000:
		return fmt.Errorf("%w: --users is 4 to 1000", errOptions)
	case o.rate < 1 || o.rate > 100_000:
		return fmt.Errorf("%w: --rate is 1 to 100000", errOptions)
	case o.window < 1 || o.window > 100:
		return fmt.Errorf("%w: --window is 1 to 100", errOptions)
	}
	_, err := fault.Find(o.fault)
	return err
}
