package presence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	grace = 3 * time.Second
	pause = time.Second
)

// said is what a watcher was told, each telling a line.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) tell(states []State) {
	states = slices.Clone(states)
	slices.SortFunc(states, func(a, b State) int { return cmp.Compare(a.User, b.User) })
	var parts []string
	for _, x := range states {
		parts = append(parts, fmt.Sprintf("%s %v", x.User, x.Online))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, strings.Join(parts, ", "))
}

func (s *said) expect(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.lines, want) {
		t.Errorf("told %q, not %q", s.lines, want)
	}
	s.lines = nil
}

func ids(names ...domain.UserID) []domain.UserID { return names }

// rest lets time pass, and all that happens in it.
func rest(d time.Duration) { time.Sleep(d); synctest.Wait() }

func story(t *testing.T, tell func(b *Board)) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{Grace: grace, Pause: pause})
		defer b.Close()
		tell(b)
	})
}

func TestAWatcherIsToldWhoComesAndGoes(t *testing.T) {
	story(t, func(b *Board) {
		var alice said
		w := b.Watcher(alice.tell)
		b.Enter("bob")
		if err := b.Watch(w, ids("bob", "carol"), alice.tell); err != nil {
			t.Fatal(err)
		}
		alice.expect(t, "bob true, carol false")
		b.Enter("carol")
		b.Enter("dave") // nobody watches him
		rest(pause)
		alice.expect(t, "carol true")
		b.Leave("bob")
		rest(grace - pause)
		alice.expect(t)
		rest(2 * pause)
		alice.expect(t, "bob false")
		b.Drop(w)
		b.Enter("bob")
		rest(pause)
		alice.expect(t)
	})
}

// A reconnect within the grace, with or without another link, is no news.
func TestAReconnectDoesNotFlicker(t *testing.T) {
	story(t, func(b *Board) {
		var alice said
		b.Enter("bob")
		if err := b.Watch(b.Watcher(alice.tell), ids("bob"), func([]State) {}); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			b.Leave("bob")
			rest(grace - pause)
			if !b.Ask(ids("bob"))[0].Online {
				t.Error("within the grace he is offline")
			}
			b.Enter("bob")
			rest(2 * pause)
		}
		b.Enter("bob") // a second device
		b.Leave("bob")
		rest(2 * grace)
		alice.expect(t)
		b.Leave("bob")
		rest(2 * grace)
		alice.expect(t, "bob false")
	})
}

func TestChangesAreToldTogetherAndTheNewestOnly(t *testing.T) {
	story(t, func(b *Board) {
		var alice said
		if err := b.Watch(b.Watcher(alice.tell), ids("bob", "carol", "dave"), func([]State) {}); err != nil {
			t.Fatal(err)
		}
		rest(pause / 2) // between two ticks
		for range 5 {
			for _, id := range ids("bob", "carol") {
				b.Enter(id)
				b.Leave(id)
				b.Enter(id)
			}
		}
		rest(pause)
		alice.expect(t, "bob true, carol true")
	})
}

func TestEachRequestReplacesTheWatchedSet(t *testing.T) {
	story(t, func(b *Board) {
		var alice said
		w := b.Watcher(alice.tell)
		for _, set := range [][]domain.UserID{ids("bob"), ids("bob", "carol"), ids("carol")} {
			b.Enter("bob") // known or not
			if err := b.Watch(w, set, func([]State) {}); err != nil {
				t.Fatal(err)
			}
		}
		b.Enter("carol")
		for range 3 {
			b.Leave("bob")
		}
		rest(2 * grace)
		alice.expect(t, "carol true")
		if err := b.Watch(w, nil, alice.tell); err != nil {
			t.Fatal(err)
		}
		alice.expect(t, "")
		b.Leave("carol")
		rest(2 * grace)
		alice.expect(t)
		if len(b.users) != 0 || b.watches != 0 || len(b.gone) != 0 || len(b.dirty) != 0 {
			t.Errorf("left behind: %d users, %d watches, %d departures, %d watchers", len(b.users), b.watches, len(b.gone), len(b.dirty))
		}
	})
}

func TestWatchingIsBounded(t *testing.T) {
	story(t, func(b *Board) {
		many := make([]domain.UserID, MaxWatched)
		for i := range many {
			many[i] = domain.UserID(fmt.Sprint("u", i))
		}
		var last *Watcher
		for range MaxWatches / MaxWatched {
			last = b.Watcher(func([]State) {})
			if err := b.Watch(last, many, func([]State) {}); err != nil {
				t.Fatal(err)
			}
		}
		one := b.Watcher(func([]State) {})
		never := func([]State) { t.Error("answered") }
		if err := b.Watch(one, ids("bob"), never); err != ErrFull { //nolint:errorlint // it is not wrapped
			t.Errorf("one too many: %v", err)
		}
		if err := b.Watch(last, many, func([]State) {}); err != nil {
			t.Errorf("its own again: %v", err)
		}
		b.Drop(last)
		if err := b.Watch(one, append(many, "bob"), never); err != ErrFull { //nolint:errorlint // it is not wrapped
			t.Errorf("too many at once: %v", err)
		}
		if err := b.Watch(one, ids("bob"), func([]State) {}); err != nil {
			t.Errorf("there is room: %v", err)
		}
		if err := b.Watch(last, ids("bob"), never); err != ErrFull { //nolint:errorlint // it is not wrapped
			t.Errorf("one that ended: %v", err)
		}
	})
}

// Whatever happens, after a quiet time every watcher knows the truth, and each
// telling was news.
func TestInTheEndEveryoneKnows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 999), 1, 60).Draw(rt, "steps")
		story(t, func(b *Board) {
			users := ids("a", "b", "c", "d")
			links := make(map[domain.UserID]int)
			var mu sync.Mutex // of what watchers know
			type one struct {
				w    *Watcher
				set  []domain.UserID
				know map[domain.UserID]bool
			}
			var watchers []*one
			for range 3 {
				x := &one{know: make(map[domain.UserID]bool)}
				x.w = b.Watcher(func(states []State) {
					mu.Lock()
					defer mu.Unlock()
					for _, s := range states {
						if !slices.Contains(x.set, s.User) || x.know[s.User] == s.Online {
							rt.Errorf("told %v, knew %v of %v", s, x.know, x.set)
						}
						x.know[s.User] = s.Online
					}
				})
				watchers = append(watchers, x)
			}
			for _, n := range steps {
				id, x := users[n%4], watchers[n/4%3]
				switch n / 100 {
				case 0, 1, 2:
					b.Enter(id)
					links[id]++
				case 3, 4, 5:
					if links[id] > 0 {
						b.Leave(id)
						links[id]--
					}
				case 6, 7:
					if err := b.Watch(x.w, users[n%4:], func(states []State) {
						mu.Lock()
						defer mu.Unlock()
						x.set = users[n%4:]
						clear(x.know)
						for _, s := range states {
							x.know[s.User] = s.Online
						}
					}); err != nil {
						rt.Error(err)
					}
				default:
					rest(time.Duration(n%10) * pause / 2)
				}
			}
			rest(grace + 2*pause)
			mu.Lock()
			defer mu.Unlock()
			for _, x := range watchers {
				for _, id := range x.set {
					if x.know[id] != (links[id] > 0) {
						rt.Errorf("%s has %d links, a watcher thinks %v", id, links[id], x.know[id])
					}
				}
			}
		})
	})
}
