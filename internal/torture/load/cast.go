// Package load is the clients of a torture run: users with one or two devices
// who talk in pairs and in a busy few's many conversations. They pipeline,
// repeat after every lost link, make mistakes on purpose, read, pull, page and
// poll, some by the long link, some by the short one, some now and then by the
// other, and write everything down in their trails. In the end each gets what it
// still lacks.
//
// They keep to docs/protocol.md and docs/rest.md in all but the mistakes, with one exception:
// they reconnect without the back-off, so that a server is under load from the
// moment it listens.
package load

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// User is a person of the cast. Each peer is someone to talk with; both list
// each other.
type User struct {
	Name    string
	Token   string
	Devices []string
	Peers   []string
}

// Cast makes n users, at least 4: pairs, every fourth user with two devices,
// and every sixth with conversations with up to five further users.
func Cast(seed uint64, n int) []User {
	rng := rand.New(rand.NewPCG(seed, 1))
	users := make([]User, n)
	for i := range users {
		users[i] = User{Name: fmt.Sprintf("user-%02d", i), Devices: []string{"phone"}}
		if i%4 == 0 {
			users[i].Devices = append(users[i].Devices, "desk.top")
		}
	}
	for i := 0; i+1 < n; i += 2 {
		befriend(&users[i], &users[i+1])
	}
	if n%2 == 1 {
		befriend(&users[0], &users[n-1])
	}
	for i := 0; i < n; i += 6 {
		for range 5 {
			if j := rng.IntN(n); j != i {
				befriend(&users[i], &users[j])
			}
		}
	}
	return users
}

func befriend(a, b *User) {
	if slices.Contains(a.Peers, b.Name) {
		return
	}
	a.Peers = append(a.Peers, b.Name)
	b.Peers = append(b.Peers, a.Name)
}
