package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
)

// Options of a log on Kafka. A zero limit means its default.
type Options struct {
	// Brokers are host:port pairs; any of them that answers will do.
	Brokers  []string
	ClientID string // "merchantim"
	Security Security

	// Prefix begins the names of all topics and groups, so that several
	// installations can share a cluster. "merchantim."
	Prefix string
	Topics []stream.Topic
	Groups []stream.Group
	// Replication of topics that Migrate makes. 0: 3, or as many as there are brokers.
	Replication int

	// LossWindow is how much of the newest writes the store may lose when it
	// fails over, with the time until that is noticed: commits trail by it. 0: none.
	LossWindow time.Duration
	// CommitInterval is how often progress is told to Kafka. 100 ms.
	CommitInterval time.Duration
	// SessionTimeout is how long a silent process keeps its partitions. 10 s.
	SessionTimeout time.Duration
	// HeartbeatInterval is also how late a rebalance is noticed. 1 s.
	HeartbeatInterval time.Duration
	// RebalanceTimeout is what owners have to drain before others take over. 30 s.
	RebalanceTimeout time.Duration

	// MaxPendingBytes may wait for their acknowledgement; more is ErrOverloaded. 32 MiB.
	MaxPendingBytes int64
	// MaxRecordBytes limits key and value together. 1 MiB.
	MaxRecordBytes int
	// BatchBytes of one partition go into one request. 1 MiB.
	BatchBytes int
	// FetchBytes are asked for at once; an owner's partition keeps at most about
	// twice that in memory. 1 MiB.
	FetchBytes int
	// RequestTimeout is for one request to a broker. 10 s.
	RequestTimeout time.Duration
	// DeliveryTimeout is how long records are tried again before their appends
	// fail. 30 s.
	DeliveryTimeout time.Duration
	// WatchInterval is how often lag, and whether the topics are still the same
	// ones, is looked up. 1 s.
	WatchInterval time.Duration

	// Floor has positions that a store has seen applied. If one is beyond the
	// log's end, the log has lost records: the topic starts a new incarnation.
	Floor map[stream.TopicID]map[int32]stream.Position

	Logger *slog.Logger
}

// Security says how to speak to the brokers.
type Security struct {
	TLS *tls.Config // nil: plain text
	// Mechanism of SASL: "", "PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512".
	Mechanism string
	User      string
	Password  string
}

func orElse[T int | int64 | time.Duration](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}

func (o *Options) setDefaults() error {
	if o.ClientID == "" {
		o.ClientID = "merchantim"
	}
	if o.Prefix == "" {
		o.Prefix = "merchantim."
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	orElse(&o.CommitInterval, 100*time.Millisecond)
	orElse(&o.SessionTimeout, 10*time.Second)
	orElse(&o.HeartbeatInterval, time.Second)
	orElse(&o.RebalanceTimeout, 30*time.Second)
	orElse(&o.MaxPendingBytes, 32<<20)
	orElse(&o.MaxRecordBytes, 1<<20)
	orElse(&o.BatchBytes, 1<<20)
	orElse(&o.FetchBytes, 1<<20)
	orElse(&o.RequestTimeout, 10*time.Second)
	orElse(&o.DeliveryTimeout, 30*time.Second)
	orElse(&o.WatchInterval, time.Second)
	for _, d := range []time.Duration{
		o.CommitInterval, o.HeartbeatInterval, o.RebalanceTimeout,
		o.RequestTimeout, o.DeliveryTimeout, o.WatchInterval,
	} {
		if d < time.Millisecond {
			return fmt.Errorf("kafka: an interval of %v", d)
		}
	}
	switch {
	case len(o.Brokers) == 0:
		return errors.New("kafka: no brokers")
	case len(o.Prefix) > 64:
		return fmt.Errorf("kafka: prefix of %d bytes, at most 64", len(o.Prefix))
	case o.LossWindow < 0 || o.Replication < 0:
		return errors.New("kafka: loss window or replication is negative")
	case o.SessionTimeout < 3*o.HeartbeatInterval:
		return fmt.Errorf("kafka: session time-out %v is under three heartbeats of %v", o.SessionTimeout, o.HeartbeatInterval)
	case o.MaxRecordBytes < 1 || o.BatchBytes < 1 || o.FetchBytes < 1 || o.MaxRecordBytes > 64<<20 || o.BatchBytes > 64<<20:
		return errors.New("kafka: a limit is not between 1 byte and 64 MiB")
	case o.MaxPendingBytes < int64(o.MaxRecordBytes):
		return fmt.Errorf("kafka: %d pending bytes hold no record of %d", o.MaxPendingBytes, o.MaxRecordBytes)
	}
	return o.checkNames()
}

var errDeclaration = errors.New("kafka: declaration")

func (o *Options) checkNames() error {
	topics := map[stream.TopicID]bool{}
	names := map[string]bool{eras: true}
	for _, t := range o.Topics {
		if topics[t.ID] || names[t.Name] || !plainName(t.Name) || t.Partitions < 1 || t.Partitions > 10_000 {
			return fmt.Errorf("%w: topic %d %q with %d partitions", errDeclaration, t.ID, t.Name, t.Partitions)
		}
		topics[t.ID], names[t.Name] = true, true
	}
	groups := map[string]bool{}
	for _, g := range o.Groups {
		if groups[g.Name] || !plainName(g.Name) || !topics[g.Topic] {
			return fmt.Errorf("%w: group %q of topic %d", errDeclaration, g.Name, g.Topic)
		}
		groups[g.Name] = true
	}
	return nil
}

// plainName allows no dot, so that a name behind one prefix can never be taken
// for one behind a longer prefix.
func plainName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// overhead is more than Kafka adds to a record: lengths, time, our id.
const overhead = 96

// maxMessageBytes is what a topic must allow: the largest batch that is sent.
func (o *Options) maxMessageBytes() int64 {
	return int64(max(o.BatchBytes, o.MaxRecordBytes+overhead)) + 4096
}
