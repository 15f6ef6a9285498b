// Package config holds every setting of a server: its shipped value, where it
// may come from, and what is refused.
//
// A Config is a value that is read once at the start and never changed. It
// holds no secret: keys are files in the data folder (package auth), so a
// Config may be printed and logged. Nothing outside this package knows how
// settings are read.
package config

import "time"

// Config is every setting. Treat it as immutable, the slice included.
type Config struct {
	// Data is the folder that holds everything the server keeps.
	Data string `key:"data"`
	// Listen is the address of the long link, host:port; port 0 picks a free one.
	Listen string `key:"listen"`
	// Admin is the address of the admin listener. It belongs on a loopback or
	// a private network: health and metrics are readable without a key.
	Admin string `key:"admin"`
	// PublicOrigins are the web origins, besides the server's own, whose pages
	// may use both links: "https://shop.example", with "*" for a part of the
	// host as in path.Match.
	PublicOrigins []string `key:"public_origins"`
	// Node is this process's number, unique among those that share a store.
	Node uint32 `key:"node"`

	Journal  Journal  `key:"journal"`
	Pipeline Pipeline `key:"pipeline"`
	Store    Store    `key:"store"`
	Link     Link     `key:"link"`
	Short    Short    `key:"short"`
	Limits   Limits   `key:"limits"`
	Log      Log      `key:"log"`
}

// Journal is the log on disk.
type Journal struct {
	// SegmentBytes is the size of one file of the log.
	SegmentBytes Bytes `key:"segment_bytes"`
	// SyncInterval is the least time between two syncs under light load; under
	// heavy load it is up to three times as long. An idle journal syncs at once.
	SyncInterval time.Duration `key:"sync_interval"`
	// MaxPendingBytes may be appended and not yet synced; more is overloaded.
	MaxPendingBytes Bytes `key:"max_pending_bytes"`
	// MaxDiskBytes is the most that the log may take on disk; 0 is no limit.
	MaxDiskBytes Bytes `key:"max_disk_bytes"`
	// TailBytes of the newest records stay in memory for readers.
	TailBytes Bytes `key:"tail_bytes"`
}

// Pipeline is the way of a message through the stages.
type Pipeline struct {
	// SinglePartitions and MixedPartitions are fixed at the first start. Each is
	// one goroutine: one serves some 100,000 messages a second, and gathers best
	// on a small machine.
	SinglePartitions int32 `key:"single_partitions"`
	MixedPartitions  int32 `key:"mixed_partitions"`
	// ReadBatch is the most records that a stage takes at once.
	ReadBatch int `key:"read_batch"`
}

// Store is the background writer and the key-value engine below it.
type Store struct {
	// FlushInterval and FlushBytes: answered entries are written when either is reached.
	FlushInterval time.Duration `key:"flush_interval"`
	FlushBytes    Bytes         `key:"flush_bytes"`
	// CheckpointInterval is the time between two synced checkpoints, below
	// which the log may be deleted.
	CheckpointInterval time.Duration `key:"checkpoint_interval"`
	// WriteBuffer and BlockCache are the engine's own memory.
	WriteBuffer Bytes `key:"write_buffer"`
	BlockCache  Bytes `key:"block_cache"`
}

// Link is a client's connection.
type Link struct {
	// Heartbeat is the longest silence asked of a client; twice that closes the link.
	Heartbeat time.Duration `key:"heartbeat"`
	// HelloTimeout is how long a new connection may take to say who it is.
	HelloTimeout time.Duration `key:"hello_timeout"`
	// MaxMessageBytes is the largest WebSocket message taken from a client.
	MaxMessageBytes Bytes `key:"max_message_bytes"`
	// MaxInflight sends of one link may be unanswered.
	MaxInflight int `key:"max_inflight"`
	// QueueBytes may wait unsent for one connection; more closes it as too slow.
	QueueBytes Bytes `key:"queue_bytes"`
	// MaxQueuedBytes may wait unsent for all connections together; above it
	// nothing new is pushed until there is room, and who takes nothing for a
	// second is closed.
	MaxQueuedBytes Bytes `key:"max_queued_bytes"`
	// MaxConnections are open at once; one more is refused.
	MaxConnections int `key:"max_connections"`
	// WriteTimeout closes a connection whose write takes longer.
	WriteTimeout time.Duration `key:"write_timeout"`
}

// Short is the short link: plain HTTP.
type Short struct {
	// MaxRequests are at work at once, those that poll not counted; one more is
	// unavailable. Each takes some 20 KB.
	MaxRequests int `key:"max_requests"`
	// MaxPolls wait at once, in all and of one user; one more is overloaded. Each
	// takes about as much.
	MaxPolls     int `key:"max_polls"`
	PollsPerUser int `key:"polls_per_user"`
	// BodyTimeout is how long a client may take to send a body.
	BodyTimeout time.Duration `key:"body_timeout"`
}

// Limits are what a message and a group may hold, and what one user, address or
// link may take. The shipped rates are beyond people and most bots: they keep
// one client from taking a whole machine, and an operator lowers them. Of a
// rate or a number of connections, 0 is no limit.
type Limits struct {
	// MaxTextBytes of UTF-8 in one text message.
	MaxTextBytes Bytes `key:"max_text_bytes"`
	// MaxGroupMembers of one group.
	MaxGroupMembers int `key:"max_group_members"`
	// LargeGroupSize is how many members a group may have whose entries go into
	// the inbox of each; those of larger ones follow its head.
	LargeGroupSize int `key:"large_group_size"`

	// SendsPerSecond of one user over all his links, SendsBurst of them at once.
	SendsPerSecond int `key:"sends_per_second"`
	SendsBurst     int `key:"sends_burst"`
	// RequestsPerSecond and RequestsBurst are the same for all other requests.
	RequestsPerSecond int `key:"requests_per_second"`
	RequestsBurst     int `key:"requests_burst"`
	// FramesPerSecond of one link, of whatever kind, FramesBurst of them at once.
	FramesPerSecond int `key:"frames_per_second"`
	FramesBurst     int `key:"frames_burst"`
	// LinksPerUser are open at once.
	LinksPerUser int `key:"links_per_user"`
	// ConnectionsPerAddress are open at once. Behind a proxy all clients have
	// its address: set 0 there, and let the proxy count.
	ConnectionsPerAddress int `key:"connections_per_address"`
	// HalfOpen connections, in all and of one address, may be there that have
	// not said who they are. Over it the oldest gives way. Behind a proxy, let
	// one address have as many as all.
	HalfOpen           int `key:"half_open"`
	HalfOpenPerAddress int `key:"half_open_per_address"`
}

// Log is what the server writes to its standard error.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `key:"level"`
	// Format is text or json.
	Format string `key:"format"`
}

// Default is the shipped configuration. It is valid.
func Default() Config {
	return Config{
		Data:   "./data",
		Listen: "127.0.0.1:8080",
		Admin:  "127.0.0.1:8081",
		Node:   1,
		Journal: Journal{
			SegmentBytes:    64 * MiB,
			SyncInterval:    700 * time.Microsecond,
			MaxPendingBytes: 32 * MiB,
			TailBytes:       32 * MiB,
		},
		Pipeline: Pipeline{
			SinglePartitions: 1,
			MixedPartitions:  1,
			ReadBatch:        512,
		},
		Store: Store{
			FlushInterval:      time.Second,
			FlushBytes:         32 * MiB,
			CheckpointInterval: 10 * time.Second,
			WriteBuffer:        24 * MiB,
			BlockCache:         64 * MiB,
		},
		Link: Link{
			Heartbeat:       25 * time.Second,
			HelloTimeout:    10 * time.Second,
			MaxMessageBytes: 64 * KiB,
			MaxInflight:     256,
			QueueBytes:      MiB,
			MaxQueuedBytes:  128 * MiB,
			MaxConnections:  100_000,
			WriteTimeout:    10 * time.Second,
		},
		Short: Short{MaxRequests: 1024, MaxPolls: 10_000, PollsPerUser: 16, BodyTimeout: 10 * time.Second},
		Limits: Limits{
			MaxTextBytes: 8 * KiB, MaxGroupMembers: 10_000, LargeGroupSize: 1000,
			SendsPerSecond: 10_000, SendsBurst: 20_000,
			RequestsPerSecond: 1000, RequestsBurst: 5000,
			FramesPerSecond: 20_000, FramesBurst: 40_000,
			LinksPerUser: 32, ConnectionsPerAddress: 20_000,
			HalfOpen: 20_000, HalfOpenPerAddress: 2000,
		},
		Log: Log{Level: "info", Format: "text"},
	}
}
