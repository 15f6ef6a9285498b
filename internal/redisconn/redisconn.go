// Package redisconn makes the connections that the engines on Redis share, and
// reads its errors.
//
// What it promises. One client for a single server, for sentinels and for a
// cluster, which never sends a command twice by itself: whoever sends knows
// whether that is harmless. NotRun and Passing tell it what it may do.
//
// What it refuses. It reads no configuration and no replicas, and does not hide
// that an answer was lost.
package redisconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options say where the servers are.
type Options struct {
	// Addrs (host:port) of the server, or of some nodes of a cluster, or of
	// the sentinels.
	Addrs []string
	// Master is the name that sentinels know; empty without them.
	Master string
	// Cluster: Addrs are nodes of a cluster.
	Cluster bool

	Username, Password                 string
	SentinelUsername, SentinelPassword string
	TLS                                *tls.Config // nil: none

	// Timeout bounds dialling, and each wait for a server's answer; 5 s.
	Timeout time.Duration
	// Conns is how many connections a server gets at most; 16.
	Conns int
}

// Client is one client for all modes.
type Client struct {
	redis.UniversalClient
	cluster *redis.ClusterClient // nil in other modes
	single  *redis.Client        // nil for a cluster
}

// New makes a client; it dials when it is first used.
func New(o Options) (*Client, error) {
	switch {
	case len(o.Addrs) == 0:
		return nil, errors.New("redis: no address")
	case o.Cluster && o.Master != "":
		return nil, errors.New("redis: a cluster has no sentinels")
	case !o.Cluster && o.Master == "" && len(o.Addrs) > 1:
		return nil, fmt.Errorf("redis: %d addresses, but neither cluster nor sentinels", len(o.Addrs))
	}
	u := o.universal()
	switch {
	case o.Cluster:
		c := redis.NewClusterClient(u.Cluster())
		return &Client{UniversalClient: c, cluster: c}, nil
	case o.Master != "":
		c := redis.NewFailoverClient(u.Failover())
		return &Client{UniversalClient: c, single: c}, nil
	}
	c := redis.NewClient(u.Simple())
	return &Client{UniversalClient: c, single: c}, nil
}

func (o Options) universal() *redis.UniversalOptions {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Conns <= 0 {
		o.Conns = 16
	}
	return &redis.UniversalOptions{
		Addrs: o.Addrs, MasterName: o.Master, IsClusterMode: o.Cluster,
		Username: o.Username, Password: o.Password,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		TLSConfig:   o.TLS,
		DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, PoolTimeout: o.Timeout,
		ContextTimeoutEnabled: true,
		PoolSize:              o.Conns, PipelinePoolSize: -1,
		// Never twice: a batch that took effect, and whose answer was lost,
		// would be refused by its own condition.
		MaxRetries: -1, DialerRetries: 1,
		// Kvrocks does not know them.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		// A node that failed once may be the only one of its slots.
		FailingTimeoutSeconds: 1,
	}
}

// Sharded reports whether the servers are a cluster.
func (c *Client) Sharded() bool { return c.cluster != nil }

// Of returns the client of the server that has a key, for writing.
func (c *Client) Of(ctx context.Context, key string) (*redis.Client, error) {
	if c.cluster == nil {
		return c.single, nil
	}
	return c.cluster.MasterForKey(ctx, key)
}

// Masters calls fn for each server that is written to, several at once.
func (c *Client) Masters(ctx context.Context, fn func(ctx context.Context, server *redis.Client) error) error {
	if c.cluster == nil {
		return fn(ctx, c.single)
	}
	return c.cluster.ForEachMaster(ctx, fn)
}

// Relearn asks a cluster anew who has what.
func (c *Client) Relearn(ctx context.Context) {
	if c.cluster != nil {
		c.cluster.ReloadState(ctx)
	}
}

// Moved returns the client of the server that a MOVED names; nil for any other
// error, or a server unknown so far. The cluster's map may lag for long behind
// fail-overs that follow one another; the answer itself is right.
func (c *Client) Moved(ctx context.Context, err error) (to *redis.Client) {
	if c.cluster == nil || !redis.HasErrorPrefix(err, "MOVED") {
		return nil
	}
	words := strings.Fields(err.Error())
	var mu sync.Mutex
	// It reads the map anew; whom it misses it finds at the next try.
	_ = c.cluster.ForEachShard(ctx, func(_ context.Context, server *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		if server.Options().Addr == words[len(words)-1] {
			to = server
		}
		return nil
	})
	return to
}

// refusals begin the answers of a server that did not do what it was asked, and
// may do it later, or of one that is not the right one.
var refusals = []string{
	"NOSCRIPT", "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "READONLY",
	"MASTERDOWN", "NOREPLICAS", "BUSY", "max number of clients reached",
}

// NotRun reports whether the command surely had no effect and may be sent again.
func NotRun(err error) bool {
	for _, r := range refusals {
		if redis.HasErrorPrefix(err, r) {
			return true
		}
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || errors.Is(err, redis.ErrPoolTimeout)
}

// Passing reports whether a command that is harmless to repeat may work later:
// NotRun, and all faults of the connection.
func Passing(err error) bool {
	if err == nil || errors.Is(err, redis.Nil) || errors.Is(err, redis.ErrClosed) {
		return false
	}
	var answer redis.Error
	return NotRun(err) || !errors.As(err, &answer)
}

// Elsewhere reports whether the cluster's map is stale, or a server is gone.
func Elsewhere(err error) bool {
	for _, r := range []string{"MOVED", "ASK", "CLUSTERDOWN", "READONLY"} {
		if redis.HasErrorPrefix(err, r) {
			return true
		}
	}
	var answer redis.Error
	return err != nil && !errors.As(err, &answer)
}

// tagSafe keeps any bytes from ending a hash tag; it is one to one.
var tagSafe = strings.NewReplacer("%", "%0", "}", "%1")

// Tag is a hash tag of any name: all keys with it lie on one server. The kind
// keeps it from being empty, which Redis would not take for a tag.
func Tag(kind byte, name string) string {
	return "{" + string(kind) + tagSafe.Replace(name) + "}"
}
