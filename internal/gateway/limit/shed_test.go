package limit

import (
	"testing"
	"time"
)

// flood is a server of some capacity, with a queue, and users who ask for fixed
// rates, tick by tick.
type flood struct {
	users    *Users
	capacity float64 // requests a tick
	queue    float64
	now      int64
	want     []float64 // of each user, requests a tick
	due      []float64
	got      []int
	of       []*User
}

const (
	tick      = 50 * time.Millisecond
	queueFull = 10_000
)

func newFlood(capacity float64, want []float64) *flood {
	f := &flood{users: NewUsers(Rates{}), capacity: capacity, want: want,
		due: make([]float64, len(want)), got: make([]int, len(want))}
	for i := range want {
		f.of = append(f.of, f.users.Use(name(i)))
	}
	return f
}

// step lets a tick pass in ten slices.
func (f *flood) step() {
	for range 10 {
		f.now += int64(tick) / 10
		for i := range f.want {
			for f.due[i] += f.want[i] / 10; f.due[i] >= 1; f.due[i]-- {
				if f.of[i].Send(f.now) > 0 {
					f.due[i] = 0 // the rest would have to wait as well
					break
				}
				if f.queue >= queueFull {
					f.users.Shed.Refused()
					continue
				}
				f.queue++
				f.got[i]++
				f.users.Shed.Took(1)
			}
		}
		f.queue = max(0, f.queue-f.capacity/10)
	}
	f.users.Shed.Tick(tick, f.queue/queueFull)
}

// However much a few ask for, those who ask for less than an equal share get
// all of it, the others about the same, and the server is not idle meanwhile.
func TestABusyServerSharesFairly(t *testing.T) {
	for name, greedy := range map[string][]float64{
		"a little too much": {250, 250}, "each all of it": {1000, 1000}, "ten times": {5000, 5000}, "unequal": {150, 5000},
	} {
		const capacity, users = 1000, 30 // a share is 93 a tick
		want := make([]float64, users)
		for i := range want {
			want[i] = 3
			if i%3 == 0 {
				want[i] = greedy[i%2]
			}
		}
		f := newFlood(capacity, want)
		for range 100 {
			f.step()
		}
		clear(f.got)
		const ticks = 100
		for range ticks {
			f.step()
		}
		least, most, sum := ticks*capacity, 0, 0
		for i, n := range f.got {
			sum += n
			if i%3 == 0 {
				least, most = min(least, n), max(most, n)
			} else if n < ticks*3*95/100 {
				t.Errorf("%s: a user who asked for %d got %d", name, ticks*3, n)
			}
		}
		if most > least*11/10 {
			t.Errorf("%s: of those who ask for too much, one got %d and one %d", name, most, least)
		}
		if sum < ticks*capacity*95/100 {
			t.Errorf("%s: %d were taken, %d could have been", name, sum, ticks*capacity)
		}
	}
}

func TestTheShareIsLiftedWhenTheFloodIsOver(t *testing.T) {
	f := newFlood(100, []float64{5000, 5000})
	for range 400 {
		f.step()
	}
	if f.users.Shed.Share() == 0 {
		t.Fatal("nothing is shed")
	}
	f.want = []float64{1, 1}
	n := 0
	for ; f.users.Shed.Share() > 0; n++ {
		if n == 400 {
			t.Fatalf("after %v still a share of %v/s", 400*tick, f.users.Shed.Share())
		}
		f.step()
	}
	f.want = []float64{90, 0}
	f.got[0] = 0
	for range 10 {
		f.step()
	}
	if f.got[0] < 890 {
		t.Errorf("of 900 got %d", f.got[0])
	}
}

func TestTheShareHasBounds(t *testing.T) {
	var s Shed
	for range 100 {
		s.Refused()
		s.Tick(tick, 1)
	}
	if s.Share() != 1 {
		t.Errorf("the share of a server that takes nothing is %v", s.Share())
	}
}
