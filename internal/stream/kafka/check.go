package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	kafkago "github.com/segmentio/kafka-go"
)

// Finding is one thing that Check has looked at; Err is nil if it is as it must be.
type Finding struct {
	What string
	Err  error
}

// Check looks at what brokers and topics are set to, for an operator: nothing
// is changed. It says what would break a promise: fewer than two replicas in
// sync or an unclean election (with more than one broker), records that leave
// before they are committed, a topic that is missing or has other partitions.
func Check(ctx context.Context, opt Options) []Finding {
	if err := opt.setDefaults(); err != nil {
		return []Finding{{"settings", err}}
	}
	ctx, cancel := context.WithTimeout(ctx, opt.RequestTimeout)
	defer cancel()
	c, err := newCluster(ctx, &opt)
	if err != nil {
		return []Finding{{"settings", err}}
	}
	defer c.close()
	meta, err := c.Metadata(ctx, &kafkago.MetadataRequest{})
	all := []Finding{{"brokers", err}}
	if err != nil {
		return all
	}
	all = append(all, Finding{"topics", errors.Join(c.compare(ctx)...)})
	topics := []string{opt.Prefix + eras}
	for _, t := range opt.Topics {
		topics = append(topics, opt.Prefix+t.Name)
	}
	for _, t := range meta.Topics {
		if t.Error == nil && slices.Contains(topics, t.Name) {
			all = append(all,
				Finding{"replicas of " + t.Name, replicas(t, len(meta.Brokers))},
				Finding{"settings of " + t.Name, c.checkSettings(ctx, t.Name, len(meta.Brokers))})
		}
	}
	return all
}

// replicas says which partitions of a topic lack a leader, or replicas.
func replicas(t kafkago.Topic, brokers int) error {
	var errs []error
	for _, p := range t.Partitions {
		switch {
		case p.Error != nil:
			errs = append(errs, fmt.Errorf("partition %d: %w", p.ID, p.Error))
		case brokers > 1 && len(p.Replicas) < 2:
			errs = append(errs, fmt.Errorf("partition %d has one replica on %d brokers: it is lost with one of them", p.ID, brokers))
		case len(p.Isr) < len(p.Replicas):
			errs = append(errs, fmt.Errorf("partition %d: %d of %d replicas are in sync", p.ID, len(p.Isr), len(p.Replicas)))
		}
	}
	return errors.Join(errs...)
}

func (c *cluster) checkSettings(ctx context.Context, topic string, brokers int) error {
	res, err := c.DescribeConfigs(ctx, &kafkago.DescribeConfigsRequest{
		Resources: []kafkago.DescribeConfigRequestResource{{ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic}},
	})
	if err != nil {
		return err
	}
	have := map[string]string{}
	for _, r := range res.Resources {
		if r.Error != nil {
			return r.Error
		}
		for _, e := range r.ConfigEntries {
			have[e.ConfigName] = e.ConfigValue
		}
	}
	return judgeSettings(have, brokers, c.opt.maxMessageBytes())
}

func judgeSettings(have map[string]string, brokers int, maxMessage int64) error {
	var errs []error
	want := func(name, value, why string) {
		if have[name] != value {
			errs = append(errs, fmt.Errorf("%s is %q, not %s: %s", name, have[name], value, why))
		}
	}
	least := func(name string, value int64, why string) {
		if n, err := strconv.ParseInt(have[name], 10, 64); err != nil || n < value {
			errs = append(errs, fmt.Errorf("%s is %q, under %d: %s", name, have[name], value, why))
		}
	}
	if brokers > 1 {
		least("min.insync.replicas", 2, "an answered message may be on one broker only")
		want("unclean.leader.election.enable", "false", "a broker that lacks answered messages may become leader")
	}
	want("cleanup.policy", "delete", "compaction drops records of the same conversation")
	want("retention.ms", "-1", "records may go before they are processed")
	want("retention.bytes", "-1", "records may go before they are processed")
	least("max.message.bytes", maxMessage, "a batch of ours may be refused")
	return errors.Join(errs...)
}
