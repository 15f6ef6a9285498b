package sim

import (
	"math/rand/v2"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/stream"
)

// world is everything there is: disks, at most one server, people.
type world struct {
	tasks
	model
	history History
	cfg     config
	groups  []stream.Group
	pcg     *rand.PCG
	rng     *rand.Rand // of the step that is being done
	now     int64      // unix microseconds: of the step's number, and
	skew    int64      // what the clock has jumped
	calm    bool       // engines neither fail nor stop

	spool     *spool
	platter   *platter
	storeDown bool
	s         *server
	life      int
	loss      bool // the log has just lost what was durable

	story []string
	did   []int
	err   error
}

// config is what a seed makes of a world.
type config struct {
	steps         int
	single, mixed int32
	early         bool
	batch         int
	limits        chat.Limits
	faults        bool // operations fail
	crashes       bool
	losses        bool // the log loses what was durable, which it must not
}

// epochTime is when every history begins.
const epochTime = 1_700_000_000_000_000

var crew = []domain.UserID{"ann", "bob", "eve", "joe", "kim"}

func newWorld(h History) *world {
	w := &world{history: h, pcg: rand.NewPCG(h.Seed, 0), now: epochTime}
	w.rng = rand.New(w.pcg)
	rng := w.rng
	w.cfg = config{
		steps: 60 + rng.IntN(340), single: int32(1 + rng.IntN(3)), mixed: int32(1 + rng.IntN(3)),
		early: rng.IntN(8) > 0, batch: 1 + rng.IntN(12),
		limits: chat.Limits{Members: len(crew), Large: 2 + rng.IntN(3)},
		faults: rng.IntN(4) > 0, crashes: rng.IntN(5) > 0, losses: rng.IntN(12) == 0,
	}
	w.groups = pipeline.Groups()
	for i := range w.groups {
		w.groups[i].Early = w.groups[i].Early && w.cfg.early
	}
	w.model = newModel(crew)
	w.spool = newSpool(pipeline.Topics(w.cfg.single, w.cfg.mixed), w.groups)
	w.platter = &platter{}
	return w
}

// pick returns one of a few.
func pick[T any](rng *rand.Rand, of []T) T { return of[rng.IntN(len(of))] }
