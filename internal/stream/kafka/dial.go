package kafka

import (
	"context"
	"fmt"
	"net"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// cluster is how this process speaks to the brokers.
type cluster struct {
	*kafkago.Client
	transport *kafkago.Transport
	dialer    *kafkago.Dialer // consumer groups dial by themselves
	opt       *Options
}

func (s Security) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case "":
		return nil, nil
	case "PLAIN":
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	}
	return nil, fmt.Errorf("kafka: SASL mechanism %q; known are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", s.Mechanism)
}

func newCluster(ctx context.Context, opt *Options) (*cluster, error) {
	mechanism, err := opt.Security.mechanism()
	if err != nil {
		return nil, err
	}
	dial := (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	c := &cluster{opt: opt}
	c.transport = &kafkago.Transport{
		Dial: dial, DialTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second,
		MetadataTTL: time.Second, ClientID: opt.ClientID,
		TLS: opt.Security.TLS, SASL: mechanism, Context: ctx,
	}
	c.dialer = &kafkago.Dialer{
		ClientID: opt.ClientID, DialFunc: dial, Timeout: 5 * time.Second,
		TLS: opt.Security.TLS, SASLMechanism: mechanism,
	}
	c.Client = &kafkago.Client{Addr: kafkago.TCP(opt.Brokers...), Transport: c.transport}
	return c, nil
}

// close ends the connections that nobody uses, and each other one after its request.
func (c *cluster) close() { c.transport.CloseIdleConnections() }

// bounded gives a request its time.
func (c *cluster) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.opt.RequestTimeout)
}

// patient repeats what fails for a passing reason, until the delivery time-out.
func (c *cluster) patient(ctx context.Context, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.opt.DeliveryTimeout)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		one, end := c.bounded(ctx)
		err := fn(one)
		end()
		if err == nil || final(err) {
			return err
		}
		if !sleep(ctx, pause) {
			return err
		}
	}
}

// sleep reports whether ctx lived through it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
