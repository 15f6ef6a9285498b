package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Options of a client. URL, Token and Device are needed.
type Options struct {
	// URL is the server, such as ws://127.0.0.1:8080. A path is ignored.
	URL string
	// Token returns the token for a new link; it is asked again for each.
	Token func(context.Context) (string, error)
	// Device names this installation, in the form of a user id.
	Device string

	// Store keeps the messages and how far they were taken; nil: in memory only.
	Store Store
	// FromNow starts a client that has no position at the newest entry of the
	// inbox, and of each large group, instead of the oldest.
	FromNow bool

	// FallBack is after how many failures in a row to make the long link the
	// client goes on over the short one (HTTP), trying on in the background.
	// 0: 2; below 0: it never does.
	FallBack int

	// OnState is told of every change of the link. It is called by the
	// client's own goroutine: it must return soon and not call the client.
	OnState func(State)

	Outbox int // texts not yet answered, 0: 1,000
	Queue  int // messages not yet taken, 0: 1,000

	// BackOff bounds the random waits between tries to connect: between 0 and
	// min(Max, Base × 2^tries). Zero: 0.25 s and 30 s.
	BackOff BackOff
	// AwayWait bounds the random wait after the server said that it goes
	// away. Zero: 2 s.
	AwayWait time.Duration
	// Timeout is for connecting with hello, and for one write. Zero: 10 s.
	Timeout time.Duration
}

// State is the state of the link.
type State struct {
	Up    bool
	Short bool   // it is the short link, when up
	User  string // who the token says we are, when up
	// Err is why the link was lost or could not be made, or why the store does
	// not keep what came.
	Err error
	// Retry is the wait until the next try, when not up.
	Retry time.Duration
}

// Errors of the client.
var (
	// ErrClosed: the client was closed; the outcome of what was under way is unknown.
	ErrClosed = errors.New("client: closed")
	// ErrText: the text is empty, not valid UTF-8, or too large for a frame.
	ErrText = errors.New("client: text is empty, too large, or not valid UTF-8")
	// ErrNotOfProtocol: the server closed the link because of what was sent;
	// what was under way on it is not repeated.
	ErrNotOfProtocol = errors.New("client: the server refused the link's frames")
)

// Refused is a final refusal by the server.
type Refused struct {
	Code    wire.Code
	Message string
}

func (e *Refused) Error() string {
	return fmt.Sprintf("client: refused (%s): %s", e.Code, e.Message)
}

const (
	defaultOutbox = 1000
	defaultQueue  = 1000
	maxCalls      = 64 // requests under way besides sends

	defaultFallBack = 2
)

func (o Options) withDefaults() (Options, error) {
	u, err := url.Parse(o.URL)
	if err != nil || (u.Scheme != "ws" && u.Scheme != "wss") || u.Host == "" {
		return o, fmt.Errorf("client: %q is not the address of a server, such as ws://127.0.0.1:8080", o.URL)
	}
	o.URL = u.Scheme + "://" + u.Host
	if o.Token == nil {
		return o, errors.New("client: no token")
	}
	if !wire.ValidUser([]byte(o.Device)) {
		return o, fmt.Errorf("client: %q is not the name of a device", o.Device)
	}
	if o.Store == nil {
		o.Store = new(Memory)
	}
	if o.FallBack == 0 {
		o.FallBack = defaultFallBack
	}
	if o.OnState == nil {
		o.OnState = func(State) {}
	}
	setDefault(&o.Outbox, defaultOutbox)
	setDefault(&o.Queue, defaultQueue)
	setDefault(&o.BackOff.Base, 250*time.Millisecond)
	setDefault(&o.BackOff.Max, 30*time.Second)
	setDefault(&o.AwayWait, 2*time.Second)
	setDefault(&o.Timeout, 10*time.Second)
	return o, nil
}

func setDefault[T int | time.Duration](p *T, v T) {
	if *p <= 0 {
		*p = v
	}
}
