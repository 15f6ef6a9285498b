package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/merchantim/merchantim/internal/client"
)

const (
	maxPending = 500     // texts on their way; more are read when some are answered
	maxLine    = 1 << 20 // bytes of a typed line; the server's own limit is lower
)

// chat is one conversation on a pair of line-based streams. Its run is the only
// one that prints.
type chat struct {
	options
	client *client.Client
	states states
	out    io.Writer

	conversation string
	shown        uint64 // newest received message of the conversation that was printed
	epoch        string
	was          client.State
	pending      []pending
}

// pending is a typed text without an answer yet.
type pending struct {
	text string
	*client.Sending
}

// run ends with the input, once all that was typed is answered, or with ctx.
func (c *chat) run(ctx context.Context, in io.Reader) error {
	c.printf("You are %s, talking %s. Each line is a message; Ctrl-D ends.\n", c.as, c.partners())
	if err := c.open(ctx); err != nil {
		return c.ended(ctx, err)
	}
	read := startReading(ctx, c.client, c.conversation)
	defer read.stop()
	read.upTo(c.shown)
	lines := readLines(ctx, in)
	var failed error
	for lines != nil || len(c.pending) > 0 {
		typed, answered := lines, c.answered()
		if len(c.pending) >= maxPending {
			typed = nil
		}
		select {
		case <-ctx.Done():
			return c.ended(ctx, ctx.Err())
		case line, ok := <-typed:
			if !ok {
				lines = nil
				continue
			}
			if failed = line.err; failed == nil {
				failed = c.say(ctx, line.text)
			}
			if failed != nil {
				return c.ended(ctx, failed)
			}
		case <-answered:
			c.confirm(ctx)
		case m, ok := <-c.client.Messages():
			if !ok {
				return client.ErrClosed
			}
			c.received(m)
			read.upTo(c.shown)
		case s := <-c.states:
			c.state(s)
		}
	}
	c.printf("Bye.\n")
	return nil
}

// open finds the conversation and shows its last messages. Without a server it
// says so and waits.
func (c *chat) open(ctx context.Context) error {
	var page client.Page
	err := c.meanwhile(func() (err error) {
		if c.conversation, err = c.find(ctx); err != nil || c.history == 0 {
			return err
		}
		page, err = c.client.History(ctx, c.conversation, 0, c.history)
		return err
	})
	for _, m := range page.Messages {
		c.print(m)
	}
	return err
}

// meanwhile shows the state of the link while do runs.
func (c *chat) meanwhile(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	for {
		select {
		case err := <-done:
			return err
		case s := <-c.states:
			c.state(s)
		}
	}
}

// say sends a typed line. A text that cannot be sent is no reason to end.
func (c *chat) say(ctx context.Context, text string) error {
	if text = strings.TrimSuffix(text, "\r"); strings.TrimSpace(text) == "" {
		return nil
	}
	s, err := c.client.Send(ctx, c.conversation, text)
	if errors.Is(err, client.ErrText) {
		c.printf("(not sent: this text is too long, or not valid UTF-8)\n")
		return nil
	}
	if err != nil {
		return err
	}
	c.pending = append(c.pending, pending{text, s})
	if !c.was.Up && c.was.Err != nil {
		c.printf("(kept; it goes out when the server is back)\n")
	}
	return nil
}

// answered is closed when the oldest typed text is answered.
func (c *chat) answered() <-chan struct{} {
	if len(c.pending) == 0 {
		return nil
	}
	return c.pending[0].Done()
}

func (c *chat) confirm(ctx context.Context) {
	p := c.pending[0]
	c.pending = slices.Delete(c.pending, 0, 1)
	switch r, err := p.Wait(ctx); {
	case err == nil:
		c.printf("%s you: %s ✓\n", clock(r.At), printable(p.text))
	default:
		c.printf("(not sent: %s: %s)\n", reason(err), printable(p.text))
	}
}

// received prints a message, unless the history had it already.
func (c *chat) received(m client.Message) {
	if c.epoch != "" && c.epoch != m.Inbox.Epoch {
		c.shown = 0 // the server counts anew
	}
	c.epoch = m.Inbox.Epoch
	switch {
	case m.Conversation != c.conversation:
		c.printf("%s (in another chat) %s: %s\n", clock(m.At), printable(m.From), words(m))
	case m.Index > c.shown:
		c.print(m)
	}
}

func (c *chat) print(m client.Message) {
	from := m.From
	if from == c.as {
		from = "you"
	}
	c.printf("%s %s: %s\n", clock(m.At), printable(from), words(m))
	c.shown = m.Index
}

// ended says what is left open, when the chat ends early.
func (c *chat) ended(ctx context.Context, err error) error {
	if n := len(c.pending); n > 0 {
		c.printf("Not answered yet: %d. They may be stored or not.\n", n)
	}
	if errors.Is(err, context.Canceled) && errors.Is(ctx.Err(), context.Canceled) {
		return nil // Ctrl-C is a way to end, too
	}
	return err
}

func (c *chat) printf(format string, args ...any) { fmt.Fprintf(c.out, format, args...) }

func clock(at time.Time) string { return at.Local().Format("15:04") }

type line struct {
	text string
	err  error
}

// readLines reads in until its end or ctx's. Nothing can interrupt a read from
// a terminal: after ctx its goroutine ends with the next line, or the process.
func readLines(ctx context.Context, in io.Reader) <-chan line {
	lines := make(chan line)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(in)
		s.Buffer(nil, maxLine)
		for more := true; more; {
			more = s.Scan()
			l := line{s.Text(), s.Err()}
			if !more && l.err == nil {
				return
			}
			select {
			case lines <- l:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}
