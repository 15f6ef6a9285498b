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

// state tells of a change of the link, once each.
func (c *chat) state(s client.State) {
	was := c.was
	c.was = s
	lost := !was.Up && was.Err != nil
	switch {
	case !s.Up && !lost:
		c.printf("Connection lost, trying again…\n")
	case s.Up && s.Short && !(was.Up && was.Short):
		c.printf("On the short link (HTTP): the long one does not work. Type on.\n")
	case s.Up && !s.Short && was.Up && was.Short:
		c.printf("Back on the long link.\n")
	case s.Up && !s.Short && lost:
		c.printf("Back.\n")
	}
}
