package rest

import (
	"net/http"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// operation is one thing that can be asked for: one line of the table that both
// serves and is described.
type operation struct {
	id, method, path string
	summary, about   string
	group            string
	public           bool // needs no token
	params           []param
	body             any       // an example; nil: there is none
	kind             wire.Type // the frame that the body stands for
	answer           any       // an example; nil: 204
	notModified      bool      // may answer 304
	refuses          []domain.Code
	do               func(c *call) *domain.Error
}

// operations are all of them, in the order of the reference page.
func operations() []operation {
	return append(append(startOperations(), chatOperations()...), inboxOperations()...)
}

func startOperations() []operation {
	return []operation{
		{
			id: "bootstrap", method: http.MethodGet, path: "/v1/bootstrap", group: "Start", public: true,
			summary: "What a client needs before it signs in",
			about:   "Entry points, limits, heartbeat, how to back off. Has an ETag.",
			answer:  exampleStart, notModified: true, do: bootstrap,
		},
		{
			id: "sign-in", method: http.MethodPost, path: "/v1/sessions", group: "Start",
			summary: "Who am I, and where do I stand",
			about:   "What `hello` is on the long link. The server keeps no session: each request brings its token.",
			body:    exampleSigningIn, kind: wire.Hello, answer: exampleSession, do: signIn,
		},
	}
}

func chatOperations() []operation {
	return []operation{
		{
			id: "open", method: http.MethodPost, path: "/v1/conversations", group: "Conversations",
			summary: "The one conversation with another user", about: "Made if absent; every repetition gets the same.",
			body: opening{"bob"}, kind: wire.Open, answer: exampleOpened, do: direct,
			refuses: []domain.Code{domain.NotFound, domain.Overloaded},
		},
		{
			id: "create-group", method: http.MethodPost, path: "/v1/groups", group: "Conversations",
			summary: "A group of the caller, who becomes its owner",
			about:   "`key`, in the body or as a header, is the caller's own: the same again with the same title and members gives the same conversation.",
			params:  []param{keyParam},
			body:    creating{"g1", "Returns", []userName{"bob", "carol"}}, kind: wire.Create, answer: exampleOpened, do: createGroup,
			refuses: []domain.Code{domain.NotFound, domain.Conflict, domain.TooLarge, domain.Overloaded},
		},
		{
			id: "change-members", method: http.MethodPost, path: "/v1/conversations/{conversation}/members", group: "Conversations",
			summary: "Members of a group come and go",
			about:   "Only an owner may; anyone may remove himself, which is leaving. Who is there already, or gone, is passed over.",
			params:  []param{conversationParam},
			body:    changing{[]userName{"dave"}, []userName{"carol"}}, kind: wire.Change, answer: changedMembers{exampleConversation, 7}, do: changeMembers,
			refuses: []domain.Code{domain.Forbidden, domain.NotFound, domain.TooLarge, domain.Overloaded},
		},
		{
			id: "members", method: http.MethodGet, path: "/v1/conversations/{conversation}/members", group: "Conversations",
			summary: "Who is in a conversation", about: "In the order of names, by pages.",
			params: []param{conversationParam, memberCursor, pageLimit(wire.DefaultMembers, wire.MaxMembers)},
			answer: exampleMembers, do: listMembers, refuses: []domain.Code{domain.Forbidden, domain.NotFound},
		},
		{
			id: "send", method: http.MethodPost, path: "/v1/conversations/{conversation}/messages", group: "Messages",
			summary: "Send a message",
			about: "The answer means: stored durably, its place is final. The same `key` with the same content again gives the first answer again: " +
				"so repeat it whenever an answer is missing. `key` stands in the body or in the header; if in both, they are the same.",
			params: []param{conversationParam, keyParam},
			body:   sending{"a1", "a0", textContent{"text", "hi"}}, kind: wire.Send, answer: exampleSent, do: send,
			refuses: []domain.Code{
				domain.Forbidden, domain.NotFound, domain.Conflict, domain.PredecessorMissing, domain.TooLarge, domain.Overloaded,
			},
		},
		{
			id: "history", method: http.MethodGet, path: "/v1/conversations/{conversation}/messages", group: "Messages",
			summary: "Messages of a conversation", about: "A page may end early, but is never empty while there are more.",
			params: []param{conversationParam, beforeParam, afterParam, pageLimit(wire.DefaultHistory, wire.MaxHistory)},
			answer: exampleMessages, do: history, refuses: []domain.Code{domain.Forbidden, domain.NotFound},
		},
		{
			id: "read", method: http.MethodPut, path: "/v1/conversations/{conversation}/read", group: "Messages",
			summary: "The caller has read up to here", about: "Lower than before is ignored.",
			params: []param{conversationParam},
			body:   reading{5}, kind: wire.Read, do: markRead,
			refuses: []domain.Code{domain.Forbidden, domain.NotFound, domain.Overloaded},
		},
	}
}

func inboxOperations() []operation {
	return []operation{
		{
			id: "list", method: http.MethodGet, path: "/v1/conversations", group: "Inbox",
			summary: "The caller's conversations, newest first",
			about:   "By pages; or only what changed since a version. A conversation is listed from its first message on.",
			params:  []param{cursorParam, sinceParam, pageLimit(wire.DefaultList, wire.MaxList)},
			answer:  exampleRows, do: list, refuses: []domain.Code{domain.Overloaded},
		},
		{
			id: "inbox", method: http.MethodGet, path: "/v1/inbox", group: "Inbox",
			summary: "New messages of all conversations; by long poll, too",
			about: "With `wait_ms` it waits until there is an entry after `after`, or the sum of heads differs from `heads`, or the time is over: " +
				"then the page is empty. This is how a client without a long link receives: ask again at once, with the inbox index of the last entry.",
			params: []param{entryParam, pageLimit(wire.DefaultInbox, wire.MaxInbox), waitParam, headsParam},
			answer: exampleEntries, do: inbox, refuses: []domain.Code{domain.Overloaded},
		},
		{
			id: "heads", method: http.MethodGet, path: "/v1/heads", group: "Inbox",
			summary: "Newest index of each large group of the caller", about: "Large groups do not come into the inbox: what is above the client's own index is pulled by history.",
			answer: headsList{[]head{{exampleConversation, 5}}}, do: heads,
		},
		{
			id: "presence", method: http.MethodGet, path: "/v1/presence", group: "Inbox",
			summary: "Who is online",
			about: "Of those users with whom the caller has a direct conversation, each once; all others are left out. " +
				"Online is who has a long link. Changes are told on the long link only.",
			params: []param{usersParam}, answer: presences{[]seen{{"bob", true}}}, do: whoIsOnline,
			refuses: []domain.Code{domain.Overloaded},
		},
	}
}
