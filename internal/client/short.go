package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// shortLink carries each request by one of HTTP, and brings the answers as the
// frames that the long link would bring. It pushes nothing: the loop polls. A
// request that gets no answer of the server ends the link, since then nobody
// knows what works; a refusal does not. The loop owns it and calls close.
type shortLink struct {
	client  *http.Client
	base    string // http://host/v1
	token   string
	timeout time.Duration
	welcome *wire.Received

	in     chan []*wire.Received
	ctx    context.Context // ends when the loop gives the link up, or at a failure
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu      sync.Mutex
	ended   bool // nothing is asked any more
	err     error
	working sync.WaitGroup // a request each; none is added once ended
}

// maxShort is how many requests are on their way at once; one may be a poll.
const maxShort = 8

// dialShort signs in. What was missed since the position comes as pushes.
func dialShort(ctx context.Context, o *Options, h *hello) (link, error) {
	ctx, cancelDial := context.WithTimeout(ctx, o.Timeout)
	defer cancelDial()
	token, err := o.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("client: no token: %w", err)
	}
	l := &shortLink{
		client: &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxConnsPerHost: maxShort, MaxIdleConnsPerHost: maxShort,
		}},
		base: "http" + strings.TrimPrefix(o.URL, "ws") + "/v1", token: token, timeout: o.Timeout,
		in: make(chan []*wire.Received),
	}
	missed, err := l.signIn(ctx, o.Device, h)
	if err != nil {
		l.client.CloseIdleConnections()
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.wait.Go(l.finish)
	if len(missed) > 0 {
		l.working.Go(func() { l.bring(missed) })
	}
	return l, nil
}

func (l *shortLink) signIn(ctx context.Context, device string, h *hello) ([]*wire.Received, error) {
	body := map[string]any{"device": device}
	if h.epoch != "" {
		body["inbox"] = map[string]any{"epoch": h.epoch, "index": h.at.Index, "heads": h.at.Heads}
	}
	answer, err := l.do(ctx, &httpCall{http.MethodPost, "/sessions", body})
	if err != nil {
		return nil, err
	}
	if answer.refused != nil {
		return nil, &Refused{Code: answer.refused.Code, Message: answer.refused.Message}
	}
	var session struct {
		wire.Received
		Missed []wire.Shown `json:"missed"`
	}
	if err := json.Unmarshal(answer.body, &session); err != nil {
		return nil, fmt.Errorf("client: signing in: %w", err)
	}
	l.welcome = &session.Received
	var missed []*wire.Received
	for i := range session.Missed {
		missed = append(missed, &wire.Received{Type: "msg", Shown: session.Missed[i]})
	}
	return missed, nil
}

func (l *shortLink) greeting() *wire.Received          { return l.welcome }
func (l *shortLink) received() <-chan []*wire.Received { return l.in }

func (l *shortLink) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// send starts a request; a goroutine each, which close waits for.
func (l *shortLink) send(id string, r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return // the loop is about to hear of it
	}
	q := *r
	l.working.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, l.timeout+q.wait)
		defer cancel()
		answer, err := l.do(ctx, q.http())
		var frame *wire.Received
		if err == nil {
			frame, err = answer.frame(id, &q)
		}
		if err != nil {
			l.fail(err)
			return
		}
		l.bring([]*wire.Received{frame})
	})
}

func (l *shortLink) bring(frames []*wire.Received) {
	select {
	case l.in <- frames:
	case <-l.ctx.Done():
	}
}

// fail ends the link. The first failure says why.
func (l *shortLink) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended, l.err = true, err
	}
	l.cancel()
}

// finish closes in once the link has ended and nobody writes to it any more.
func (l *shortLink) finish() {
	<-l.ctx.Done()
	l.fail(l.ctx.Err())
	l.working.Wait()
	l.client.CloseIdleConnections()
	close(l.in)
}

func (l *shortLink) close(bool) {
	l.cancel()
	l.wait.Wait()
}

// httpAnswer is an answer of the server: a body or a refusal.
type httpAnswer struct {
	body    []byte
	refused *wire.Received
}

// do makes one request. An error is what is no answer of a merchantim server,
// or one that says that the token is good no more.
func (l *shortLink) do(ctx context.Context, c *httpCall) (*httpAnswer, error) {
	body, err := c.reader()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, c.method, l.base+c.path, body)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("client: short link: %w", err)
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxReceived))
	ignoreClosed(resp.Body.Close())
	if err != nil {
		return nil, fmt.Errorf("client: short link: %w", err)
	}
	if resp.StatusCode < 300 {
		return &httpAnswer{body: content}, nil
	}
	return refusal(resp, content)
}

// refusal reads a problem (RFC 9457).
func refusal(resp *http.Response, content []byte) (*httpAnswer, error) {
	var p struct {
		Code    wire.Code `json:"code"`
		Detail  string    `json:"detail"`
		Retry   bool      `json:"retry"`
		RetryMS int64     `json:"retry_ms"`
	}
	if json.Unmarshal(content, &p) != nil || p.Code == "" {
		return nil, fmt.Errorf("client: short link: the answer is %s", resp.Status)
	}
	if p.Code == wire.CodeUnauthenticated {
		return nil, &Refused{Code: p.Code, Message: p.Detail}
	}
	r := &wire.Received{Type: "error", Code: p.Code, Retry: p.Retry, RetryMS: p.RetryMS}
	r.Message = p.Detail
	return &httpAnswer{refused: r}, nil
}
