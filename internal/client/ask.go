package client

import (
	"context"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// The requests. Each is repeated over lost links until its context ends.

// Open returns the conversation with another user.
func (c *Client) Open(ctx context.Context, with string) (conversation string, err error) {
	return c.conversation(ctx, &request{op: wire.Open, with: with})
}

// CreateGroup makes a group of this user and others. The same key with the same
// title and members gives the same group.
func (c *Client) CreateGroup(ctx context.Context, key, title string, members []string) (conversation string, err error) {
	return c.conversation(ctx, &request{op: wire.Create, key: key, title: title, users: members})
}

func (c *Client) conversation(ctx context.Context, q *request) (string, error) {
	r, err := c.ask(ctx, q)
	if err != nil {
		return "", err
	}
	return r.Conversation, nil
}

// Change adds members to a group and removes others, and returns the index of
// the entry that says so; 0: nothing changed, or it did at a try whose answer
// was lost.
func (c *Client) Change(ctx context.Context, conversation string, add, remove []string) (index uint64, err error) {
	r, err := c.ask(ctx, &request{op: wire.Change, conversation: conversation, users: add, remove: remove})
	if err != nil {
		return 0, err
	}
	return r.Index, nil
}

// Members returns a page of the members of a conversation in the order of their
// names, how many there are, and the cursor of the next page, empty at the end.
func (c *Client) Members(ctx context.Context, conversation, cursor string, limit int) (page []wire.Member, total int, next string, err error) {
	r, err := c.ask(ctx, &request{op: wire.Members, conversation: conversation, cursor: cursor, limit: limit})
	if err != nil {
		return nil, 0, "", err
	}
	return r.Members, r.Total, r.Cursor, nil
}

// History returns a page of a conversation before an index (0: the newest).
// Limit is at most 200; 0 leaves it to the server.
func (c *Client) History(ctx context.Context, conversation string, before uint64, limit int) (Page, error) {
	return c.page(ctx, &request{op: wire.History, conversation: conversation, index: before, limit: limit})
}

// HistoryAfter returns a page of a conversation after an index.
func (c *Client) HistoryAfter(ctx context.Context, conversation string, after uint64, limit int) (Page, error) {
	return c.page(ctx, &request{op: wire.History, conversation: conversation, index: after, behind: true, limit: limit})
}

func (c *Client) page(ctx context.Context, q *request) (Page, error) {
	r, err := c.ask(ctx, q)
	if err != nil {
		return Page{}, err
	}
	p := Page{More: r.More, Messages: make([]Message, len(r.Messages))}
	for i := range r.Messages {
		p.Messages[i] = messageOf("", &r.Messages[i])
	}
	return p, nil
}

// Listed is a page of the list. Cursor is for the next page, empty at the end;
// Version, of the first page, for a later Since.
type Listed struct {
	Rows    []wire.Row
	Cursor  string
	Version uint64
}

// List returns a page of the user's conversations, newest first. With a since
// above 0: what changed after that version, and all large groups.
func (c *Client) List(ctx context.Context, cursor string, since uint64, limit int) (Listed, error) {
	return c.list(ctx, &request{op: wire.List, cursor: cursor, since: since, limit: limit})
}

// Refresh brings the rows of the store up to date: all of them at first, then
// what has changed.
func (c *Client) Refresh(ctx context.Context) error {
	if err := c.Ready(ctx); err != nil { // before, there is no epoch
		return err
	}
	at, err := c.store.Load()
	if err != nil {
		return err
	}
	q := request{op: wire.List, since: at.Version, limit: wire.MaxList, epoch: at.Epoch}
	for {
		p, err := c.list(ctx, &q)
		if err != nil || p.Cursor == "" {
			return err
		}
		if q.version == 0 {
			q.version = p.Version
		}
		q.cursor = p.Cursor
	}
}

func (c *Client) list(ctx context.Context, q *request) (Listed, error) {
	r, err := c.ask(ctx, q)
	if err != nil {
		return Listed{}, err
	}
	return Listed{Rows: r.Conversations, Cursor: r.Cursor, Version: r.Version}, nil
}

// Read says that the user has read a conversation up to an index.
func (c *Client) Read(ctx context.Context, conversation string, index uint64) error {
	_, err := c.ask(ctx, &request{op: wire.Read, conversation: conversation, index: index})
	return err
}
