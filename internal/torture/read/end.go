package read

import (
	"context"

	"github.com/merchantim/merchantim/internal/torture/check"
	"github.com/merchantim/merchantim/internal/torture/trail"
)

// behind is how many inbox entries the second link says to have missed: few
// enough to follow a welcome whatever their texts.
const behind = 10

// end has a user with a whole copy ask for the newest state, pull what it shows
// to be missing, and come back with his position: once a little behind, once
// with all there is.
func (r *reader) end(ctx context.Context) (check.End, error) {
	var e check.End
	heads, err := r.call(ctx, trail.Frame{Type: "heads"}, "heads")
	if err != nil {
		return e, err
	}
	e.Heads = heads.Heads
	for _, conv := range r.copy.Heads(heads.Heads).Groups {
		if _, err := r.upwards(ctx, conv, r.copy.Group(conv).Have); err != nil {
			return e, err
		}
	}
	pong, err := r.call(ctx, trail.Frame{Type: "ping"}, "pong")
	if err != nil {
		return e, err
	}
	if pong.Inbox != nil {
		e.Pong = *pong.Inbox
	}
	at := *r.copy.Position()
	if at.Index, err = r.backwards(ctx, at.Index); err != nil {
		return e, err
	}
	if e.Behind, err = r.again(ctx, at); err != nil {
		return e, err
	}
	e.Whole, err = r.again(ctx, *r.copy.Position())
	return e, err
}

// backwards goes from the newest entry of the inbox back over those that left
// the user's large groups as they are, since with his heads of now nobody can
// have been before one that changed them.
func (r *reader) backwards(ctx context.Context, newest int64) (int64, error) {
	from := max(0, newest-behind)
	f, err := r.call(ctx, trail.Frame{Type: "inbox", After: trail.IndexRef(from), Limit: behind}, "entries")
	if err != nil {
		return newest, err
	}
	for _, e := range f.Entries {
		if e.Inbox != nil && (e.Joins(r.user) || e.Leaves(r.user) || e.Content != nil && e.Content.Type == trail.Diffusion) {
			from = e.Inbox.Index
		}
	}
	return from, nil
}

// again comes back with a position. The heartbeat after the welcome gathers
// what follows it.
func (r *reader) again(ctx context.Context, at trail.Place) (bool, error) {
	r.disconnect()
	welcome, err := r.connect(ctx, &at)
	if err != nil {
		return false, err
	}
	_, err = r.call(ctx, trail.Frame{Type: "ping"}, "pong")
	return welcome.Recovered, err
}
