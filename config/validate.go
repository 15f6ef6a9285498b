package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// escaped is how many bytes JSON may take for one byte of text: \u0001.
const escaped = 6

// Validate returns every fault of c, each an *Error, or nil.
func (c Config) Validate() error { return errors.Join(c.faults()...) }

func (c Config) faults() []error {
	var f faults
	f.check(c.Data != "", "data", "name a folder")
	f.address("listen", c.Listen)
	f.address("admin", c.Admin)
	_, port, _ := net.SplitHostPort(c.Admin)
	f.check(port == "0" || c.Admin != c.Listen, "admin", "is the same address as listen")
	for i, origin := range c.PublicOrigins {
		f.origin(fmt.Sprintf("public_origins[%d]", i), origin)
	}
	f.check(c.Node > 0, "node", "numbers begin at 1")
	c.Journal.faults(&f)
	c.Pipeline.faults(&f)
	c.Store.faults(&f)
	c.Link.faults(&f)
	c.Short.faults(&f)
	c.Limits.faults(&f, c.Link.MaxMessageBytes)
	f.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	f.oneOf("log.format", c.Log.Format, "text", "json")
	return f
}

func (j Journal) faults(f *faults) {
	within(f, "journal.segment_bytes", j.SegmentBytes, MiB, GiB)
	within(f, "journal.sync_interval", j.SyncInterval, 0, time.Second)
	within(f, "journal.max_pending_bytes", j.MaxPendingBytes, MiB, 16*GiB)
	f.check(j.MaxDiskBytes == 0 || j.MaxDiskBytes >= 2*j.SegmentBytes, "journal.max_disk_bytes",
		"must be 0 (no limit) or hold two segments of journal.segment_bytes")
	within(f, "journal.tail_bytes", j.TailBytes, 0, 16*GiB)
}

func (p Pipeline) faults(f *faults) {
	within(f, "pipeline.single_partitions", p.SinglePartitions, 1, 256)
	within(f, "pipeline.mixed_partitions", p.MixedPartitions, 1, 256)
	within(f, "pipeline.read_batch", p.ReadBatch, 1, 1<<16)
}

func (s Store) faults(f *faults) {
	within(f, "store.flush_interval", s.FlushInterval, time.Millisecond, time.Minute)
	within(f, "store.flush_bytes", s.FlushBytes, 64*KiB, 4*GiB)
	within(f, "store.checkpoint_interval", s.CheckpointInterval, 10*time.Millisecond, 10*time.Minute)
	within(f, "store.write_buffer", s.WriteBuffer, 64*KiB, 4*GiB)
	within(f, "store.block_cache", s.BlockCache, 0, 64*GiB)
}

func (l Link) faults(f *faults) {
	within(f, "link.heartbeat", l.Heartbeat, 10*time.Millisecond, 10*time.Minute)
	within(f, "link.hello_timeout", l.HelloTimeout, 10*time.Millisecond, 10*time.Minute)
	within(f, "link.max_message_bytes", l.MaxMessageBytes, KiB, 16*MiB)
	within(f, "link.max_inflight", l.MaxInflight, 1, 1<<16)
	within(f, "link.queue_bytes", l.QueueBytes, l.MaxMessageBytes, GiB)
	within(f, "link.max_queued_bytes", l.MaxQueuedBytes, l.QueueBytes, 64*GiB)
	within(f, "link.max_connections", l.MaxConnections, 1, 10_000_000)
	within(f, "link.write_timeout", l.WriteTimeout, 10*time.Millisecond, 10*time.Minute)
}

func (s Short) faults(f *faults) {
	within(f, "short.max_requests", s.MaxRequests, 1, 1_000_000)
	within(f, "short.max_polls", s.MaxPolls, 0, 10_000_000)
	within(f, "short.polls_per_user", s.PollsPerUser, 1, 1_000_000)
	within(f, "short.body_timeout", s.BodyTimeout, 10*time.Millisecond, 10*time.Minute)
}

func (l Limits) faults(f *faults, maxMessage Bytes) {
	within(f, "limits.max_text_bytes", l.MaxTextBytes, 1, maxMessage)
	f.check(l.MaxTextBytes*escaped+KiB <= maxMessage, "limits.max_text_bytes",
		fmt.Sprintf("a text of this size, escaped, does not fit link.max_message_bytes (%v)", maxMessage))
	within(f, "limits.max_group_members", l.MaxGroupMembers, 2, 20_000)
	within(f, "limits.large_group_size", l.LargeGroupSize, 2, 20_000)
	for _, rate := range []struct {
		path          string
		second, burst int
	}{
		{"limits.sends_", l.SendsPerSecond, l.SendsBurst},
		{"limits.requests_", l.RequestsPerSecond, l.RequestsBurst},
		{"limits.frames_", l.FramesPerSecond, l.FramesBurst},
	} {
		within(f, rate.path+"per_second", rate.second, 0, 1_000_000)
		within(f, rate.path+"burst", rate.burst, 1, 1_000_000)
	}
	within(f, "limits.links_per_user", l.LinksPerUser, 0, 1_000_000)
	within(f, "limits.connections_per_address", l.ConnectionsPerAddress, 0, 10_000_000)
	within(f, "limits.half_open", l.HalfOpen, 0, 10_000_000)
	within(f, "limits.half_open_per_address", l.HalfOpenPerAddress, 0, 10_000_000)
}

// faults gathers what is wrong, so that a person mends a file in one go.
type faults []error

func (f *faults) check(holds bool, path, problem string) {
	if !holds {
		*f = append(*f, &Error{Path: path, Problem: problem})
	}
}

func within[T cmp.Ordered](f *faults, path string, value, least, most T) {
	f.check(value >= least && value <= most, path, fmt.Sprintf("%v is not between %v and %v", value, least, most))
}

func (f *faults) oneOf(path, value string, allowed ...string) {
	f.check(slices.Contains(allowed, value), path,
		fmt.Sprintf("%q is not one of %s", value, strings.Join(allowed, ", ")))
}

func (f *faults) address(path, address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	f.check(err == nil, path, fmt.Sprintf("%q is not host:port", address))
}

func (f *faults) origin(field, origin string) {
	scheme, host, found := strings.Cut(origin, "://")
	_, err := path.Match(host, "")
	f.check(found && (scheme == "https" || scheme == "http") && host != "" && !strings.ContainsAny(host, "/?#@ ") && err == nil,
		field, fmt.Sprintf("%q is not an origin such as https://shop.example", origin))
}
