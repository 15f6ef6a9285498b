package redis

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/redisconn"
)

var _ hot.Posts = (*Engine)(nil)

// queuedPosts is how many messages wait for one listener.
const queuedPosts = 1024

// channel has a hash tag, so that a cluster carries each node's posts on one
// server, and not from each to all.
func (e *Engine) channel(node string) string { return e.key('c', node) }

// Post implements hot.Posts. It is sent once: a lost post is found by the
// client, one that came twice would be a nuisance.
func (e *Engine) Post(ctx context.Context, node string, message []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	if e.client.Sharded() {
		err = e.client.SPublish(ctx, e.channel(node), message).Err()
	} else {
		err = e.client.Publish(ctx, e.channel(node), message).Err()
	}
	if err != nil {
		if redisconn.Elsewhere(err) {
			e.client.Relearn(ctx)
		}
		return fmt.Errorf("hot: post: %w", err)
	}
	return nil
}

// Listen implements hot.Posts. The driver subscribes again by itself whenever
// the connection breaks.
func (e *Engine) Listen(ctx context.Context, node string, ready func(), take func(message []byte)) error {
	var sub *redis.PubSub
	if e.client.Sharded() {
		sub = e.client.SSubscribe(ctx, e.channel(node))
	} else {
		sub = e.client.Subscribe(ctx, e.channel(node))
	}
	defer func() { _ = sub.Close() }() // nothing is lost that the caller still wants
	in := sub.ChannelWithSubscriptions(redis.WithChannelSize(queuedPosts))
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, ok := <-in:
			switch m := m.(type) {
			case *redis.Subscription:
				ready()
			case *redis.Message:
				take([]byte(m.Payload))
			}
			if !ok {
				return fmt.Errorf("hot: listen: %w", redis.ErrClosed)
			}
		}
	}
}
