package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// askTries bounds how often a refused request is sent again.
const askTries = 100

// errRefused is the refusal of a request that may be sent again.
var errRefused = errors.New("refused for now")

// askAll sends requests, all at once, until each has its answer; what the server
// is too busy for is sent again. take gets the number of a request and what it
// was answered with. Before the reader is started only.
func (k *link) askAll(ctx context.Context, requests [][]byte, take func(i int, f *frame) error) error {
	ids, number := make([]string, len(requests)), make(map[string]int, len(requests))
	for i, b := range requests {
		var f frame
		if err := scanFrame(b, &f); err != nil {
			return err
		}
		ids[i] = string(f.id)
		number[ids[i]] = i
	}
	for range askTries {
		var left [][]byte
		for i, id := range ids {
			if _, ok := number[id]; ok {
				left = append(left, requests[i])
			}
		}
		frames := bytes.Join(left, newline)
		wait := time.Duration(0)
		err := k.ask(ctx, frames, len(left), func(f *frame) error {
			i, ok := number[string(f.id)]
			if code := string(f.code); string(f.kind) == "error" && (code == "overloaded" || code == "unavailable") {
				wait = max(wait, time.Duration(f.retryMS)*time.Millisecond)
				return nil
			}
			if !ok {
				return fmt.Errorf("%s %s answers none of ours", f.kind, f.id)
			}
			delete(number, string(f.id))
			return take(i, f)
		})
		if err != nil || len(number) == 0 {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return fmt.Errorf("%w, %d times", errRefused, askTries)
}

// expect returns an error unless a frame is of a type.
func (f *frame) expect(kind string) error {
	if string(f.kind) != kind {
		return fmt.Errorf("%s %s instead of %s", f.kind, f.code, kind)
	}
	return nil
}

// request sends one frame and returns its answer, which is valid until the next.
func (k *link) request(ctx context.Context, b []byte, kind string) (*frame, error) {
	err := k.ask(ctx, b, 1, func(f *frame) error { return f.expect(kind) })
	return &k.frame, err
}
