package fault

import (
	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/ws"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

// ofChains are the faults that any conversation shows.
var ofChains = []Fault{
	{
		Name: "ack-before-sync", Field: "lost",
		Story: "the disk says that the log is synced, and it is not",
		FS:    func(fs vfs.FS) vfs.FS { return lyingFS{fs} },
	},
	{
		Name: "offset-before-effect", Field: "lost",
		Story: "consumers' offsets are committed as records are handed out, before their effects are kept",
		Log:   func(l stream.Log) stream.Log { return &hasty{l} },
	},
	{
		Name: "checkpoint-lies", Field: "lost",
		Story: "the store says that it is synced, and it is not, so offsets move past effects that a loss of power undoes",
		KV:    func(s kv.Store) kv.Store { return forgetful{s} },
	},
	{
		Name: "drop-batch", Field: "lost",
		Story: "the store drops one in ten batches of conversations and says nothing",
		KV:    func(s kv.Store) kv.Store { return &dropper{Store: s, drops: conversations(), nth: 10} },
	},
	{
		Name: "drop-rows", Field: "unread_mismatch",
		Story: "the store drops one in five updates of list rows and says nothing",
		KV:    func(s kv.Store) kv.Store { return &dropper{Store: s, drops: rows(), nth: 5} },
	},
	{
		Name: "no-dedupe", Field: "duplicated",
		Story: "what is sent again is taken for new: the log gets it under another key",
		Log:   func(l stream.Log) stream.Log { return newRekeyer(l) },
	},
	{
		Name: "reorder", Field: "reordered",
		Story: "messages that arrive together change places, and nobody looks at their predecessors",
		Log:   func(l stream.Log) stream.Log { return &shuffler{Log: l} },
	},
	{
		Name: "lost-append", Field: "inbox_mismatch",
		Story: "one in a thousand fan-out records is not appended, and said to be",
		Log:   func(l stream.Log) stream.Log { return &leaky{Log: l} },
	},
	{
		Name: "push-before-durable", Field: "inbox_mismatch",
		Story: "inbox entries are made and pushed before their records are synced",
		Log:   func(l stream.Log) stream.Log { return newEarly(l) },
	},
}

// ofGroups are those that need groups, or links that go on where they were.
var ofGroups = []Fault{
	{
		Name: "members-today", Field: "inbox_mismatch",
		Story: "messages go to who is a member when they are fanned out, a moment later, not to who was one",
		Log:   func(l stream.Log) stream.Log { return newToday(l) },
	},
	{
		Name: "epoch-ignored", Field: "wrong_answers",
		Story:   "a position of another numbering is taken for one of this",
		Service: func(s ws.Service) ws.Service { return anyEpoch{s} },
	},
	{
		Name: "tail-not-announced", Field: "inbox_mismatch",
		Story:   "heartbeats and welcomes tell of the inbox and the heads as they were some seconds ago",
		Service: func(s ws.Service) ws.Service { return &tardy{Service: s, told: map[domain.UserID]told{}} },
	},
	{
		Name: "partial-recovery", Field: "inbox_mismatch",
		Story:   "a recovery that lacks the first of what was missed, or heads that moved, is called whole",
		Service: func(s ws.Service) ws.Service { return partial{s} },
	},
}

// ofBothLinks are those that need clients who change links, or follow versions.
var ofBothLinks = []Fault{
	{
		Name: "link-forgets", Field: "duplicated",
		Story: "the short link takes for new what was sent on the long one and comes again",
		Log:   func(l stream.Log) stream.Log { return newParted(l) },
	},
	{
		Name: "delta-holed", Field: "unread_mismatch",
		Story:   "a list since a version lacks the last row of each page",
		Service: func(s ws.Service) ws.Service { return holed{s} },
	},
}
