package kafka

import (
	"context"
	"fmt"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// kafka-go has no DeleteRecords: this is version 1 of it, for one partition.

type trimRequest struct {
	Topics    []trimTopic `kafka:"min=v0,max=v1"`
	TimeoutMs int32       `kafka:"min=v0,max=v1"`
}

type trimTopic struct {
	Name       string          `kafka:"min=v0,max=v1"`
	Partitions []trimPartition `kafka:"min=v0,max=v1"`
}

type trimPartition struct {
	Partition int32 `kafka:"min=v0,max=v1"`
	Offset    int64 `kafka:"min=v0,max=v1"`
}

type trimResponse struct {
	ThrottleTimeMs int32               `kafka:"min=v0,max=v1"`
	Topics         []trimResponseTopic `kafka:"min=v0,max=v1"`
}

type trimResponseTopic struct {
	Name       string                  `kafka:"min=v0,max=v1"`
	Partitions []trimResponsePartition `kafka:"min=v0,max=v1"`
}

type trimResponsePartition struct {
	Partition int32 `kafka:"min=v0,max=v1"`
	Low       int64 `kafka:"min=v0,max=v1"`
	ErrorCode int16 `kafka:"min=v0,max=v1"`
}

// ApiKey implements protocol.Message.
func (*trimRequest) ApiKey() protocol.ApiKey { return protocol.DeleteRecords }

// ApiKey implements protocol.Message.
func (*trimResponse) ApiKey() protocol.ApiKey { return protocol.DeleteRecords }

// Broker implements protocol.BrokerMessage: the partition's leader.
func (r *trimRequest) Broker(c protocol.Cluster) (protocol.Broker, error) {
	t := r.Topics[0]
	p, ok := c.Topics[t.Name].Partitions[t.Partitions[0].Partition]
	if !ok {
		return protocol.Broker{ID: -1}, protocol.NewErrNoPartition(t.Name, t.Partitions[0].Partition)
	}
	b, ok := c.Brokers[p.Leader]
	if !ok {
		return protocol.Broker{ID: -1}, protocol.NewErrNoLeader(t.Name, p.ID)
	}
	return b, nil
}

// Messages must be known to kafka-go before the first request of any kind.
var _ = func() struct{} {
	protocol.Register(&trimRequest{}, &trimResponse{})
	return struct{}{}
}()

// trim lets a partition's records below offset go.
func (c *cluster) trim(ctx context.Context, topic string, partition int32, offset int64) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	m, err := c.transport.RoundTrip(ctx, c.Addr, &trimRequest{
		TimeoutMs: int32(c.opt.RequestTimeout.Milliseconds()),
		Topics:    []trimTopic{{Name: topic, Partitions: []trimPartition{{Partition: partition, Offset: offset}}}},
	})
	if err != nil {
		return fmt.Errorf("kafka: trim %s/%d: %w", topic, partition, err)
	}
	for _, t := range m.(*trimResponse).Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return fmt.Errorf("kafka: trim %s/%d: %w", topic, partition, kafkago.Error(p.ErrorCode))
			}
		}
	}
	return nil
}
