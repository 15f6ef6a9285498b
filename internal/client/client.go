package client

import (
	"context"
	"crypto/rand"
	"fmt"
	"unicode/utf8"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Client is a user's lasting presence on one device. All methods may be called
// concurrently.
type Client struct {
	asked    chan *call    // to the loop: a request
	dropped  chan *call    // to the loop: its caller has given up
	typed    chan *Sending // to the loop: a text
	messages chan Message  // from the loop
	ready    chan struct{} // closed by the loop at the first welcome

	stop context.CancelFunc
	done chan struct{} // closed when the loop has ended
	err  error         // of the store; valid once done is closed

	store Store
}

// New starts a client. It connects at once and for ever, until Close.
func New(o Options) (*Client, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	at, err := o.Store.Load()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &Client{
		asked:    make(chan *call),
		dropped:  make(chan *call),
		typed:    make(chan *Sending),
		messages: make(chan Message),
		ready:    make(chan struct{}),
		stop:     stop,
		store:    o.Store,
		done:     make(chan struct{}),
	}
	l := newLoop(c, o, at, rand.Text()[:12])
	go func() {
		defer close(c.done)
		defer close(c.messages)
		c.err = l.run(ctx)
	}()
	return c, nil
}

// Close ends the client and waits for its goroutines. Whatever is under way
// ends with ErrClosed. The error is that of the
// store, if it does not have all that was handed over.
func (c *Client) Close() error {
	c.stop()
	<-c.done
	return c.err
}

// Messages are the messages to this user; closed by Close.
func (c *Client) Messages() <-chan Message { return c.messages }

// Ready waits for the first welcome.
func (c *Client) Ready(ctx context.Context) error {
	select {
	case <-c.ready:
		return nil
	case <-c.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Send puts a text in line, also while there is no link; it waits for room in
// the outbox. ErrText if no server could take it.
func (c *Client) Send(ctx context.Context, conversation, text string) (*Sending, error) {
	if text == "" || !utf8.ValidString(text) || len(wire.AppendTextContent(nil, []byte(text))) > wire.MaxMessage-512 {
		return nil, ErrText
	}
	s := &Sending{conversation: conversation, text: text, done: make(chan struct{})}
	select {
	case c.typed <- s:
		return s, nil
	case <-c.done:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Done is closed when the text was answered for.
func (s *Sending) Done() <-chan struct{} { return s.done }

// Wait returns the answer: a receipt, or *Refused, ErrNotOfProtocol or
// ErrClosed. The end of ctx ends the waiting, not the sending.
func (s *Sending) Wait(ctx context.Context) (Receipt, error) {
	select {
	case <-s.done:
		return s.receipt, s.err
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	}
}

// ask hands a request to the loop and waits for its answer.
func (c *Client) ask(ctx context.Context, r *request) (*wire.Received, error) {
	q := &call{request: *r, done: make(chan struct{})}
	select {
	case c.asked <- q:
	case <-c.done:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("client: %w", ctx.Err())
	}
	select {
	case <-q.done:
		return q.answer, q.err
	case <-ctx.Done():
	}
	select {
	case c.dropped <- q:
	case <-q.done:
	case <-c.done:
	}
	return nil, fmt.Errorf("client: %w", ctx.Err())
}
