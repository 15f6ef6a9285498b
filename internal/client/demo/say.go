package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/merchantim/merchantim/internal/client"
)

// sayAll sends --say as often as --count says, and waits for every answer. It
// fails if one text was refused.
func (c *chat) sayAll(ctx context.Context) error {
	start := time.Now()
	var last client.Receipt
	refused := 0
	err := c.meanwhile(func() (err error) {
		if c.conversation, err = c.find(ctx); err != nil {
			return err
		}
		last, refused, err = c.flood(ctx)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return errors.New("ended before every text was answered")
	case errors.Is(err, client.ErrText):
		return errors.New("this text is too long, or not valid UTF-8")
	case err != nil:
		return err
	case refused > 0:
		return fmt.Errorf("%d of %d were not taken", refused, c.count)
	}
	c.printf("Sent %d in %v; the last one is number %d of the conversation.\n",
		c.count, time.Since(start).Round(time.Millisecond), last.Index)
	return nil
}

// flood keeps at most maxPending texts on their way.
func (c *chat) flood(ctx context.Context) (last client.Receipt, refused int, err error) {
	var pending []*client.Sending
	for i := 0; i < c.count || len(pending) > 0; {
		if i < c.count && len(pending) < maxPending {
			i++
			text := c.numbered(i)
			s, err := c.client.Send(ctx, c.conversation, text)
			if err != nil {
				return last, refused, err
			}
			pending = append(pending, s)
			continue
		}
		r, err := pending[0].Wait(ctx)
		pending = slices.Delete(pending, 0, 1)
		var no *client.Refused
		switch {
		case err == nil:
			last = r
		case errors.As(err, &no):
			refused++
		default:
			return last, refused, err
		}
	}
	return last, refused, nil
}

// numbered is the i-th text.
func (c *chat) numbered(i int) string {
	if c.count == 1 {
		return c.options.say
	}
	return fmt.Sprintf("%s %d", c.options.say, i)
}
