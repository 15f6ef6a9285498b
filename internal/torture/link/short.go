package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// Bounds of a short link.
const (
	maxQueued  = 4096             // requests that wait
	askers     = 3                // requests at once that are neither sends nor polls
	answerTime = 40 * time.Second // beyond the longest poll
)

var errFull = errors.New("link: too many requests wait")

// short is the short link: sends go out one after another, polls one at a time,
// other requests some at once.
type short struct {
	addr   string
	client *http.Client
	in     chan Received
	ctx    context.Context //nolint:containedctx // ends all requests of the link at close
	cancel context.CancelFunc
	done   sync.WaitGroup
	sends  chan trail.Frame
	polls  chan trail.Frame
	others chan trail.Frame

	token string // set by hello, which comes first, before there is any other request
}

// DialShort makes a first connection to the server at addr (host:port), so that
// one that is down is noticed at once. ctx bounds the dial only.
func DialShort(ctx context.Context, addr string) (*Link, error) {
	var dialer net.Dialer
	first, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	ready := make(chan net.Conn, 1)
	ready <- first
	tr := &http.Transport{MaxIdleConnsPerHost: askers + 2, DisableCompression: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			select {
			case c := <-ready:
				return c, nil
			default:
				return dialer.DialContext(ctx, network, addr)
			}
		}}
	s := &short{
		addr: addr, client: &http.Client{Transport: tr, Timeout: answerTime}, in: make(chan Received, 16),
		sends: make(chan trail.Frame, maxQueued), polls: make(chan trail.Frame, maxQueued), others: make(chan trail.Frame, maxQueued),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.done.Go(func() { s.work(s.sends) })
	s.done.Go(func() { s.work(s.polls) })
	for range askers {
		s.done.Go(func() { s.work(s.others) })
	}
	s.done.Go(func() { // the first connection may never be asked for
		<-s.ctx.Done()
		select {
		case c := <-ready:
			_ = c.Close()
		default:
		}
	})
	return &Link{In: s.in, wire: s}, nil
}

func (s *short) send(frames [][]byte) error {
	for _, raw := range frames {
		var f trail.Frame
		if err := json.Unmarshal(raw, &f); err != nil {
			return fmt.Errorf("link: %w", err)
		}
		queue := s.others
		switch {
		case f.Type == "hello":
			s.token = f.Token
		case f.Type == "send":
			queue = s.sends
		case f.WaitMS > 0:
			queue = s.polls
		}
		select {
		case queue <- f:
		default:
			return errFull
		}
	}
	return nil
}

func (s *short) close() {
	s.cancel()
	s.done.Wait()
	s.client.CloseIdleConnections()
}

// work asks what comes, until the link ends or a request goes without answer:
// that ends it.
func (s *short) work(queue <-chan trail.Frame) {
	for {
		select {
		case f := <-queue:
			raw, err := s.ask(f)
			r := Received{Err: err}
			if err == nil {
				r.Raw, r.Frames = split(raw)
			}
			select {
			case s.in <- r:
			case <-s.ctx.Done():
				return
			}
			if err != nil {
				return
			}
		case <-s.ctx.Done():
			return
		}
	}
}

// ask makes the HTTP request of a frame, and the frame of its answer.
func (s *short) ask(f trail.Frame) ([]byte, error) {
	method, path, body, err := request(f)
	if err != nil {
		return nil, err
	}
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(s.ctx, method, "http://"+s.addr+"/v1"+path, content)
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, readLimit))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	return answer(f, resp.StatusCode, data), nil
}
