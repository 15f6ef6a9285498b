package demo

import (
	"context"
	"strings"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Whom the chat is with.

func (o *options) partners() string {
	switch {
	case o.group == "":
		return "with " + o.with[0]
	case len(o.with) == 0:
		return "in the group " + o.group
	default:
		return "in the group " + o.group + " with " + strings.Join(o.with, ", ")
	}
}

// find returns the conversation. Who is in a group of this name talks there;
// else it is made, which the same command does once.
func (c *chat) find(ctx context.Context) (string, error) {
	if c.group == "" {
		return c.client.Open(ctx, c.with[0])
	}
	for cursor := ""; ; {
		page, err := c.client.List(ctx, cursor, 0, wire.MaxList)
		if err != nil {
			return "", err
		}
		for _, r := range page.Rows {
			if r.Group && !r.Left && r.Title == c.group {
				return r.Conversation, nil
			}
		}
		if cursor = page.Cursor; cursor == "" {
			return c.client.CreateGroup(ctx, c.group, c.group, c.with)
		}
	}
}
