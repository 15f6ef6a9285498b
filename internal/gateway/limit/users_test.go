package limit

import (
	"strconv"
	"testing"
	"time"

	"github.com/merchantim/merchantim/domain"
)

func name(i int) domain.UserID { return domain.UserID("user-" + strconv.Itoa(i)) }

// Who leaves and comes back finds his buckets as he left them.
func TestANewLinkBringsNoNewTokens(t *testing.T) {
	users := NewUsers(Rates{Sends: PerSecond(1, 3), Asks: PerSecond(1, 3)})
	spend := func(now int64) (n int) {
		u := users.Use("alice")
		defer users.Release("alice")
		for u.Send(now) == 0 {
			n++
		}
		return n
	}
	if n := spend(0); n != 3 {
		t.Errorf("%d of a burst of 3", n)
	}
	users.Forget(int64(time.Second))
	if n := spend(int64(time.Second)); n != 1 {
		t.Errorf("%d tokens after a second", n)
	}
}

func TestTwoLinksShareOneBucket(t *testing.T) {
	users := NewUsers(Rates{Sends: PerSecond(1, 2), Asks: PerSecond(1, 2)})
	phone, laptop, other := users.Use("alice"), users.Use("alice"), users.Use("bob")
	if phone.Send(0) != 0 || laptop.Send(0) != 0 || phone.Send(0) != time.Second || laptop.Send(0) != time.Second {
		t.Error("the links of a user do not share his rate")
	}
	if other.Send(0) != 0 {
		t.Error("another user has to wait for them")
	}
	if phone.Ask(0, 2, false) != 0 || phone.Ask(0, 1, false) != time.Second {
		t.Error("requests do not have a rate of their own")
	}
}

func TestIdleUsersAreForgotten(t *testing.T) {
	users := NewUsers(Rates{Sends: PerSecond(1, 1)})
	const n = 10_000
	for i := range n {
		users.Use(name(i)).Send(0)
		if i%2 == 0 {
			users.Release(name(i))
		}
	}
	users.Forget(0)
	if got := users.Len(); got != n {
		t.Errorf("%d of %d are remembered, though all have something to wait for", got, n)
	}
	users.Forget(int64(time.Second))
	if got := users.Len(); got != n/2 {
		t.Errorf("%d are remembered, %d in use", got, n/2)
	}
	if users.Use(name(1)).Send(0) == 0 {
		t.Error("one in use was forgotten")
	}
}
