package demo

import "github.com/merchantim/merchantim/internal/client"

// states hands the newest state of the link to the chat; older ones that it
// had no time for are dropped.
type states chan client.State

func newStates() states { return make(states, 1) }

// set never blocks: the client's goroutine is the only one that calls it.
func (s states) set(state client.State) {
	select {
	case <-s:
	default:
	}
	s <- state
}
