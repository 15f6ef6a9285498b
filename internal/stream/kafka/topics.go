package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/merchantim/merchantim/internal/stream"
)

// eras is the name of the topic that keeps the incarnations (era.go).
const eras = "eras"

// Migrate makes the topics that are missing. It never changes one that is there,
// and refuses one with another number of partitions. Processes may call it at
// the same time.
func Migrate(ctx context.Context, opt Options) error {
	if err := opt.setDefaults(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := newCluster(ctx, &opt)
	if err != nil {
		return err
	}
	defer c.close()
	return c.patient(ctx, c.migrate)
}

func (c *cluster) migrate(ctx context.Context) error {
	names := []string{c.opt.Prefix + eras}
	for _, t := range c.opt.Topics {
		names = append(names, c.opt.Prefix+t.Name)
	}
	there, err := c.identify(ctx, names)
	if err != nil {
		return err
	}
	meta, err := c.Metadata(ctx, &kafkago.MetadataRequest{})
	if err != nil {
		return fmt.Errorf("kafka: brokers: %w", err)
	}
	replication := c.opt.Replication
	if replication == 0 {
		replication = min(3, len(meta.Brokers))
	}
	var missing []kafkago.TopicConfig
	add := func(name string, partitions int32) {
		if _, ok := there[c.opt.Prefix+name]; !ok {
			missing = append(missing, c.topicConfig(name, partitions, replication))
		}
	}
	add(eras, 1)
	for _, t := range c.opt.Topics {
		add(t.Name, t.Partitions)
	}
	if len(missing) > 0 {
		made, err := c.CreateTopics(ctx, &kafkago.CreateTopicsRequest{Topics: missing})
		if err != nil {
			return fmt.Errorf("kafka: make topics: %w", err)
		}
		for name, err := range made.Errors {
			if err != nil && !errors.Is(err, kafkago.TopicAlreadyExists) {
				return fmt.Errorf("kafka: make topic %s: %w", name, err)
			}
		}
	}
	return c.verify(ctx)
}

// topicConfig keeps records until the log itself trims them: Kafka's own
// retention would drop what a group has not committed.
func (c *cluster) topicConfig(name string, partitions int32, replication int) kafkago.TopicConfig {
	t := kafkago.TopicConfig{
		Topic: c.opt.Prefix + name, NumPartitions: int(partitions), ReplicationFactor: replication,
	}
	set := func(name, value string) {
		t.ConfigEntries = append(t.ConfigEntries, kafkago.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	set("cleanup.policy", "delete")
	set("retention.ms", "-1")
	set("retention.bytes", "-1")
	set("unclean.leader.election.enable", "false")
	set("max.message.bytes", strconv.FormatInt(c.opt.maxMessageBytes(), 10))
	set("min.insync.replicas", strconv.Itoa(min(2, replication)))
	return t
}

// verify says whether the declared topics are there as declared.
func (c *cluster) verify(ctx context.Context) error {
	return errors.Join(c.compare(ctx)...)
}

func (c *cluster) compare(ctx context.Context) []error {
	found, err := c.partitions(ctx)
	if err != nil {
		return []error{err}
	}
	var errs []error
	for _, t := range append([]stream.Topic{{Name: eras, Partitions: 1}}, c.opt.Topics...) {
		switch n := found[c.opt.Prefix+t.Name]; {
		case n == 0:
			errs = append(errs, fmt.Errorf("kafka: topic %s%s: %w", c.opt.Prefix, t.Name, kafkago.UnknownTopicOrPartition))
		case n != t.Partitions:
			errs = append(errs, fmt.Errorf("%w: topic %s%s has %d partitions in Kafka, not %d",
				errDeclaration, c.opt.Prefix, t.Name, n, t.Partitions))
		}
	}
	return errs
}

// partitions counts those of every topic.
func (c *cluster) partitions(ctx context.Context) (map[string]int32, error) {
	meta, err := c.Metadata(ctx, &kafkago.MetadataRequest{})
	if err != nil {
		return nil, fmt.Errorf("kafka: topics: %w", err)
	}
	found := map[string]int32{}
	for _, t := range meta.Topics {
		if t.Error == nil {
			found[t.Name] = int32(len(t.Partitions))
		}
	}
	return found, nil
}

// identify returns the ids of those topics that exist.
func (c *cluster) identify(ctx context.Context, names []string) (identities, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	m, err := c.transport.RoundTrip(ctx, c.Addr, identify{names})
	if err != nil {
		return nil, fmt.Errorf("kafka: topic ids: %w", err)
	}
	return m.(identities), nil
}

// bounds asks for the first or the last offset of partitions 0 to n-1.
func (c *cluster) bounds(ctx context.Context, topic string, n int32, which int64) ([]int64, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	req := make([]kafkago.OffsetRequest, n)
	for p := range req {
		req[p] = kafkago.OffsetRequest{Partition: p, Timestamp: which}
	}
	res, err := c.ListOffsets(ctx, &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{topic: req}})
	if err != nil {
		return nil, fmt.Errorf("kafka: offsets of %s: %w", topic, err)
	}
	at := make([]int64, n)
	got := int32(0)
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("kafka: offsets of %s/%d: %w", topic, p.Partition, p.Error)
		}
		if p.Partition < 0 || p.Partition >= int(n) {
			continue
		}
		at[p.Partition] = p.LastOffset
		if which == kafkago.FirstOffset {
			at[p.Partition] = p.FirstOffset
		}
		got++
	}
	if got != n {
		return nil, fmt.Errorf("kafka: offsets of %s: %d of %d partitions: %w", topic, got, n, kafkago.LeaderNotAvailable)
	}
	return at, nil
}

// final reports whether trying again is of no use.
func final(err error) bool {
	if errors.Is(err, errDeclaration) || errors.Is(err, stream.ErrCorrupt) {
		return true
	}
	var e kafkago.Error
	return errors.As(err, &e) && !e.Temporary() && !errors.Is(e, kafkago.Unknown)
}
