package rest

import "encoding/json"

const (
	exampleConversation = "3b9f2f60-7c41-8a55-9d0e-5f1c2a7b4e11"
	exampleMessage      = "01934c2f-8d1e-7b3a-a4c5-6d7e8f901234"
	exampleEpoch        = "5f0c6a1e9b7d4c23"
	exampleAt           = 1790000000000
)

var (
	exampleOpened = opened{exampleConversation}
	exampleShown  = Message{
		Conversation: exampleConversation, Index: 5, Pre: 4, N: 5, Message: exampleMessage, From: "alice", Key: "a1",
		At: exampleAt, Content: content{json.RawMessage(`{"type":"text","text":"hi"}`)},
	}
	exampleEntry     = entry{Inbox: place{Index: 18, Pre: 17}, Message: exampleShown}
	exampleSigningIn = signingIn{Device: "laptop-1", Inbox: &position{Epoch: exampleEpoch, Index: 17, Heads: 230}}
	exampleSession   = session{
		User: "bob", Epoch: exampleEpoch, Recovered: true, Inbox: state{Index: 18, Heads: 230}, HeartbeatMS: 25_000,
		MaxTextBytes: 8192, MaxInflight: 256, At: exampleAt, Missed: []entry{exampleEntry},
	}
	exampleMembers = members{
		Conversation: exampleConversation, Members: []member{{"alice", "owner", 1}, {"bob", "member", 1}}, Total: 2,
	}
	exampleSent = sent{
		Conversation: exampleConversation, Key: "a1", Message: exampleMessage, Index: 5, N: 5, At: exampleAt,
	}
	exampleMessages = messages{Conversation: exampleConversation, Messages: []Message{exampleShown}, More: true}
	exampleRows     = rows{
		Conversations: []row{{Conversation: exampleConversation, With: "bob", Index: 5, N: 5, Read: 3, Unread: 2, At: exampleAt}},
		Version:       77,
	}
	exampleEntries = entriesPage{Entries: []entry{exampleEntry}, Newest: 18, Heads: 230}
	exampleStart   = start{
		Links: []entryPoint{{"wss://im.example/v1/link", 1}, {"https://im.example/v1", 1}},
		Limits: limits{
			TextBytes: 8192, Inflight: 256, MessageBytes: 65_536, GroupMembers: 10_000, LargeGroup: 1000, Named: 500,
			TitleBytes: 200, History: 200, Inbox: 500, List: 200, Members: 1000, WaitMS: maxWaitMS,
		},
		HeartbeatMS: 25_000, Retry: retry{250, 30_000, "full"},
		Features: []string{"groups", "large_groups", "resume", "long_poll"},
	}
)
