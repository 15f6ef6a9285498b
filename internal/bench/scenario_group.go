package bench

import (
	"context"
	"errors"
	"fmt"
)

const (
	// groupOutstanding is how many messages of each sender are on the way.
	groupOutstanding = 4
	// groupSenders is how many members there are for each who writes. In a
	// group few write and most read.
	groupSenders = 50
	// groupLarge is above the shipped large_group_size: such a group's messages
	// go into no inbox.
	groupLarge = 1000
)

// groupSizes have a bar each.
var groupSizes = []int{100, 500, 5000}

// group is the plan of a closed loop over a group whose members are all online.
func (r *runner) group(members int) plan {
	return plan{
		shape: shape{users: members, senders: max(1, members/groupSenders), large: members > groupLarge},
		k:     groupOutstanding, warmUp: r.WarmUp, window: r.Window, seed: r.Seed,
		anyDrain: true, // the cost of a message is not compared
	}
}

func groupScenario(ctx context.Context, r *runner, rep *Report) error {
	sizes := groupSizes
	if r.Size > 0 {
		sizes = []int{r.Size}
	}
	var first error
	for _, members := range sizes {
		if err := r.groupOf(ctx, rep, members); err != nil {
			if ctx.Err() != nil || exitCode(err) == ExitHarness {
				return err
			}
			first = errors.Join(first, err) // the other sizes are worth knowing
		}
	}
	return first
}

func (r *runner) groupOf(ctx context.Context, rep *Report, members int) error {
	p := r.group(members)
	all, err := r.between(ctx, "echo k=8", r.pairs(8), fmt.Sprintf("group of %d", members), p, nil)
	if err != nil {
		return err
	}
	got := medians(products(all))
	prefix := fmt.Sprintf("of_%d_", members)
	rep.window(prefix, got)
	rep.figure(prefix+"cpu_us_per_delivery", got.cpu/float64(members-1))
	rep.figure(prefix+"echo_k8_per_s", moved(medians(ceilings(all))))
	against := medianOf(all, func(i interleaved) float64 {
		return per(i.product.delivered, i.ceiling(moved))
	})
	rep.atLeast(fmt.Sprintf("deliveries a second to a group of %d against echo's messages, k=8", members), against, barGroup)
	return nil
}

// per divides, 0 by nothing.
func per(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
