package client

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/internal/client/clienttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// start connects a user; change may be nil.
func start(t *testing.T, f *clienttest.Server, user string, change func(*Options)) *Client {
	t.Helper()
	o := Options{
		URL:     f.Address(),
		Token:   func(context.Context) (string, error) { return user, nil },
		Device:  "test",
		BackOff: BackOff{Base: time.Millisecond, Max: 20 * time.Millisecond}, AwayWait: 10 * time.Millisecond,
	}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func openFile(t *testing.T, name string) *File {
	t.Helper()
	s, err := OpenFile(name, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func open(t *testing.T, c *Client, with string) string {
	t.Helper()
	conversation, err := c.Open(within(t), with)
	if err != nil {
		t.Fatal(err)
	}
	return conversation
}

func send(t *testing.T, c *Client, conversation, text string) *Sending {
	t.Helper()
	s, err := c.Send(within(t), conversation, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sent(t *testing.T, s *Sending) Receipt {
	t.Helper()
	r, err := s.Wait(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func next(t *testing.T, c *Client) Message {
	t.Helper()
	select {
	case m, ok := <-c.Messages():
		if !ok {
			t.Fatal("the client ended")
		}
		return m
	case <-within(t).Done():
		t.Fatal("no message came")
	}
	return Message{}
}
