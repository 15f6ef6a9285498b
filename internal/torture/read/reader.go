package read

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/merchantim/merchantim/internal/torture/keep"
	"github.com/merchantim/merchantim/internal/torture/link"
	"github.com/merchantim/merchantim/internal/torture/load"
	"github.com/merchantim/merchantim/internal/torture/trail"
)

// answerLimit bounds the wait for one answer.
const answerLimit = 20 * time.Second

// retryLimit bounds how long a request is repeated as its answers ask.
const retryLimit = 5 * time.Second

// maxDownwards is how many pages of each chain are read from its end back.
const maxDownwards = 10

// errRefused: the server answers that it does not give what it has. The trail
// shows it; what was got before stands.
var errRefused = errors.New("refused")

// device is what the readers call themselves.
const device = "reader"

// errStuck: a page does not lead any further.
var errStuck = errors.New("a page leads nowhere")

// reader is one user who only asks; for one goroutine.
type reader struct {
	user   string
	token  string
	copy   *keep.Copy
	groups map[string]string // keeper of each that he was in from the start
	addr   string
	link   *link.Link
	links  int
	trail  *trail.Writer
	ids    int
}

// TrailFile is where the reader of a user writes.
func TrailFile(dir, user string) string { return filepath.Join(dir, user+"."+device+".jsonl") }

func open(ctx context.Context, addr, dir string, user load.User, clock trail.Clock) (*reader, error) {
	w, err := trail.Create(TrailFile(dir, user.Name), clock)
	if err != nil {
		return nil, err
	}
	r := &reader{user: user.Name, token: user.Token, copy: keep.New(user.Name), groups: map[string]string{}, addr: addr, trail: w}
	if _, err := r.connect(ctx, nil); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// connect makes a link that goes on at a position, if there is one.
func (r *reader) connect(ctx context.Context, from *trail.Place) (trail.Frame, error) {
	dctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	l, err := link.Dial(dctx, r.addr)
	if err != nil {
		return trail.Frame{}, err
	}
	r.link = l
	r.links++
	r.trail.Up(r.links)
	f, err := r.call(ctx, trail.Frame{Type: "hello", Token: r.token, Device: device, Entry: trail.Entry{Inbox: from}}, "welcome")
	if err == nil {
		r.copy.Welcome(f)
	}
	return f, err
}

func (r *reader) disconnect() {
	if r.link != nil {
		r.link.Close()
		r.link = nil
		r.trail.Down(r.links, 0, "read all")
	}
}

func (r *reader) close() error {
	r.disconnect()
	return r.trail.Close()
}

// call asks, again if the server says so, and notes both sides.
func (r *reader) call(ctx context.Context, req trail.Frame, answer string) (trail.Frame, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	begun := time.Now()
	for {
		r.ids++
		req.ID = "r" + strconv.Itoa(r.ids)
		f, err := r.once(ctx, req)
		switch {
		case err != nil:
			return f, fmt.Errorf("%s of %s: %w", req.Type, r.user, err)
		case f.Type == answer:
			return f, nil
		case !f.Retry || time.Since(begun) > retryLimit:
			return f, fmt.Errorf("%w: %s of %s: %s %s (%s)", errRefused, req.Type, r.user, f.Type, f.Code, f.Entry.Message)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (r *reader) once(ctx context.Context, req trail.Frame) (trail.Frame, error) {
	raw, err := json.Marshal(req)
	if err != nil {
		return trail.Frame{}, err
	}
	r.trail.Sent(r.links, raw)
	if err := r.link.Send(raw); err != nil {
		return trail.Frame{}, err
	}
	for {
		select {
		case in := <-r.link.In:
			var answer *trail.Frame
			for i, f := range in.Frames {
				r.take(f)
				r.trail.Received(r.links, in.Raw[i])
				if f.ID == req.ID {
					answer = &f
				}
			}
			if answer != nil {
				return *answer, nil
			}
			if in.Err != nil {
				return trail.Frame{}, in.Err
			}
		case <-ctx.Done():
			return trail.Frame{}, ctx.Err()
		}
	}
}

// take keeps what is pushed to a link.
func (r *reader) take(f trail.Frame) {
	if f.Type == "msg" || f.Type == "own" {
		r.copy.Push(f)
	}
}

// upwards reads a chain from an index on.
func (r *reader) upwards(ctx context.Context, conv string, after int64) ([]trail.Entry, error) {
	var chain []trail.Entry
	for {
		f, err := r.call(ctx, trail.Frame{Type: "history", Entry: trail.Entry{Conversation: conv},
			After: trail.IndexRef(after), Limit: 200}, "messages")
		if err != nil {
			return chain, err
		}
		chain = append(chain, f.Messages...)
		r.copy.Messages(conv, after, f.Messages)
		if !f.More || len(f.Messages) == 0 {
			return chain, nil
		}
		last := f.Messages[len(f.Messages)-1].Index
		if last <= after {
			return nil, fmt.Errorf("%w: history of %s after %d", errStuck, conv, after)
		}
		after = last
	}
}

// downwards reads the newest part of a chain back from its end; the trail is
// what counts.
func (r *reader) downwards(ctx context.Context, conv string) error {
	before := int64(0)
	for range maxDownwards {
		f, err := r.call(ctx, trail.Frame{Type: "history", Entry: trail.Entry{Conversation: conv},
			Before: before, Limit: 170}, "messages")
		if err != nil {
			return err
		}
		if !f.More || len(f.Messages) == 0 {
			return nil
		}
		first := f.Messages[0].Index
		if before > 0 && first >= before {
			return fmt.Errorf("%w: history of %s before %d", errStuck, conv, before)
		}
		before = first
	}
	return nil
}

// inbox reads all entries, and keeps of each what it points at: their texts are
// compared where they stand in the trail.
func (r *reader) inbox(ctx context.Context) ([]trail.Entry, error) {
	var entries []trail.Entry
	for after := int64(0); ; {
		f, err := r.call(ctx, trail.Frame{Type: "inbox", After: trail.IndexRef(after), Limit: 500}, "entries")
		if err != nil {
			return entries, err
		}
		r.copy.Entries(f.Entries)
		for _, e := range f.Entries {
			if e.Content != nil && e.Content.Type == trail.Created {
				r.groups[e.Conversation] = load.Keeper(e)
			}
			entries = append(entries, trail.Entry{Inbox: e.Inbox, Conversation: e.Conversation, Index: e.Index, Message: e.Message})
		}
		if len(f.Entries) == 0 || f.Entries[len(f.Entries)-1].Inbox == nil {
			return entries, nil
		}
		last := f.Entries[len(f.Entries)-1].Inbox.Index
		switch {
		case last >= f.Newest:
			return entries, nil
		case last <= after:
			return nil, fmt.Errorf("%w: inbox of %s after %d", errStuck, r.user, after)
		}
		after = last
	}
}

func (r *reader) list(ctx context.Context) ([]trail.Row, error) {
	var rows []trail.Row
	for cursor := ""; ; {
		f, err := r.call(ctx, trail.Frame{Type: "list", Cursor: cursor, Limit: 3}, "conversations")
		if err != nil {
			return rows, err
		}
		rows = append(rows, f.Conversations...)
		switch f.Cursor {
		case "":
			return rows, nil
		case cursor:
			return nil, fmt.Errorf("%w: list of %s at cursor %q", errStuck, r.user, cursor)
		}
		cursor = f.Cursor
	}
}
