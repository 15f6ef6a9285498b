package wire

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldens has every frame of docs/protocol.md, by the name of its file.
func goldens() map[string][]byte {
	id := []byte("3")
	m := Message{Conversation: convID, Index: 5, Pre: 4, N: 5, ID: convID, From: "alice", Key: "a1",
		At: 1790000000000, Content: AppendTextContent(nil, []byte("hi \"bob\"\n\u2028<b>é</b>"))}
	void := Message{Conversation: convID, Index: 6, Pre: 5, N: 5, ID: convID, From: "alice", At: 1790000000001, Content: []byte(VoidContent)}
	rows := []Conversation{{ID: convID, With: "bob", Index: 5, N: 5, Read: 3, Unread: 2, At: 1790000000000}, {ID: convID, With: "carol", At: 1},
		{ID: convID, Group: true, Title: "Returns", Left: true, Large: true, Index: 5, N: 5, At: 1}}
	return map[string][]byte{
		"hello":         AppendHello(nil, "1", "a.b.c", "laptop-1"),
		"open":          AppendOpen(nil, "2", "bob"),
		"send":          AppendSend(nil, "3", conv, "a1", "a0", "hi"),
		"send_first":    AppendSend(nil, `"\`, conv, "a1", "", "\x00\x1f\b\f\n\r\t\"\\/\x7f"),
		"history":       AppendHistory(nil, "4", conv, 6, 50),
		"history_new":   AppendHistory(nil, "4", conv, 0, 0),
		"history_after": AppendHistoryAfter(nil, "4", conv, 0, 50),
		"hello_at":      AppendHelloAt(nil, "1", "a.b.c", "laptop-1", "5f0c", 17, 230),
		"create":        AppendCreate(nil, "2", "g1", "Returns \"team\"", []string{"bob", "carol"}),
		"change":        AppendChange(nil, "2", conv, []string{"bob"}, nil),
		"list_members":  AppendListMembers(nil, "2", conv, "bob", 50),
		"list_heads":    AppendListHeads(nil, "2"),
		"ask_presence":  AppendAskPresence(nil, "9", []string{"bob", "carol"}, false),
		"watch":         AppendAskPresence(nil, "9", []string{"bob"}, true),
		"list_since":    AppendList(nil, "6", "", 12, 50),
		"inbox":         AppendInbox(nil, "5", 17, 200),
		"list":          AppendList(nil, "6", "", 0, 50),
		"list_next":     AppendList(nil, "6", "abc", 0, 0),
		"read":          AppendRead(nil, "7", conv, 5),
		"ping":          AppendPing(nil, "8"),

		"welcome": AppendWelcome(nil, id, &Welcome{User: "alice", Epoch: "5f0c", Recovered: true, InboxIndex: 17, HeadSum: 230, HeartbeatMS: 25000,
			MaxTextBytes: 8192, MaxInflight: 256, At: 1790000000000}),
		"opened":             AppendOpened(nil, id, convID),
		"sent":               AppendSent(nil, id, &Sent{Conversation: convID, Key: []byte("a1"), ID: convID, Index: 5, N: 5, At: 1790000000000}),
		"messages":           AppendMessages(nil, id, convID, []Message{m, void}, true),
		"messages_none":      AppendMessages(nil, id, convID, nil, false),
		"entries":            AppendEntries(nil, id, []Entry{{18, 17, m}, {19, 18, void}}, 230),
		"entries_none":       AppendEntries(nil, id, nil, 0),
		"conversations":      AppendConversations(nil, id, rows, "c2", 77),
		"conversations_last": AppendConversations(nil, id, rows[1:], "", 77),
		"done":               AppendDone(nil, id),
		"pong":               AppendPong(nil, id, 18, 230, 1790000000000),
		"msg":                AppendMsgTail(AppendMsgHead(nil, 18, 17), &m),
		"msg_void":           AppendMsgTail(AppendMsgHead(nil, 19, 18), &void),
		"changed":            AppendChanged(nil, id, convID, 7),
		"changed_not":        AppendChanged(nil, id, convID, 0),
		"members":            AppendMembers(nil, id, convID, []Member{{"alice", "owner", 1}, {"bob", "member", 7}}, 3, "bob"),
		"heads":              AppendHeads(nil, id, []HeadOf{{convID, 230}}),
		"presence":           AppendPresence(nil, id, []Seen{{"bob", true}, {"carol", false}}),
		"presence_none":      AppendPresence(nil, id, nil),
		"presence_push":      AppendPresence(nil, nil, []Seen{{"bob", false}}),
		"msg_large":          AppendMsgTail(AppendMsgHead(nil, 0, 0), &m),
		"own_large":          AppendOwn(nil, 0, 0, convID, 6),
		"own":                AppendOwn(nil, 19, 18, convID, 6),
		"error_retry":        AppendError(nil, id, CodeOverloaded, "The server is busy.", 500),
		"error_unavailable":  AppendError(nil, id, CodeUnavailable, "Try again.", 0),
		"error_final":        AppendError(nil, nil, CodeInvalid, `key must be 1 to 64 printable ASCII characters without " and \.`, 500),
	}
}

func TestFramesLookAsRecorded(t *testing.T) {
	frames := goldens()
	for name, frame := range frames {
		file := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(file, append(frame, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(frame)+"\n"); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if !json.Valid(frame) {
			t.Errorf("%s is not JSON", name)
		}
	}
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) != len(frames) {
		t.Errorf("%d golden files for %d frames, %v", len(files), len(frames), err)
	}
}

// What a client reads of the frames that a server writes.
func TestAClientReadsWhatAServerWrites(t *testing.T) {
	text := Shown{Conversation: conv, Index: 5, Pre: 4, N: 5, Message: conv, From: "alice", Key: "a1", At: 1790000000000,
		Content: json.RawMessage(`{"type":"text","text":"hi \"bob\"\n` + "\u2028" + `<b>é</b>"}`)}
	void := Shown{Conversation: conv, Index: 6, Pre: 5, N: 5, Message: conv, From: "alice", At: 1790000000001, Content: json.RawMessage(VoidContent)}
	in := func(s Shown, index uint64) Shown { s.Inbox = Place{Index: index, Pre: index - 1}; return s }
	bob := Row{Conversation: conv, With: "bob", Index: 5, N: 5, Read: 3, Unread: 2, At: 1790000000000}
	for name, want := range map[string]Received{
		"welcome": {Type: "welcome", ID: "3", User: "alice", Epoch: "5f0c", HeartbeatMS: 25000, MaxTextBytes: 8192, MaxInflight: 256, Recovered: true,
			Shown: Shown{Inbox: Place{Index: 17, Heads: 230}, At: 1790000000000}},
		"opened": {Type: "opened", ID: "3", Shown: Shown{Conversation: conv}},
		"sent":   {Type: "sent", ID: "3", Shown: Shown{Conversation: conv, Key: "a1", Message: conv, Index: 5, N: 5, At: 1790000000000}},
		"messages": {Type: "messages", ID: "3", Shown: Shown{Conversation: conv},
			Messages: []Shown{text, void}, More: true},
		"entries": {Type: "entries", ID: "3", Entries: []Shown{in(text, 18), in(void, 19)}, Newest: 230},
		"conversations": {Type: "conversations", ID: "3", Conversations: []Row{bob, {Conversation: conv, With: "carol", At: 1},
			{Conversation: conv, Group: true, Title: "Returns", Left: true, Large: true, Index: 5, N: 5, At: 1}}, Cursor: "c2", Version: 77},
		"done":    {Type: "done", ID: "3"},
		"pong":    {Type: "pong", ID: "3", Shown: Shown{Inbox: Place{Index: 18, Heads: 230}, At: 1790000000000}},
		"msg":     {Type: "msg", Shown: in(text, 18)},
		"changed": {Type: "changed", ID: "3", Shown: Shown{Conversation: conv, Index: 7}},
		"members": {Type: "members", ID: "3", Shown: Shown{Conversation: conv},
			Members: []Member{{"alice", "owner", 1}, {"bob", "member", 7}}, Total: 3, Cursor: "bob"},
		"heads":         {Type: "heads", ID: "3", Heads: []Shown{{Conversation: conv, Index: 230}}},
		"presence":      {Type: "presence", ID: "3", Users: []Seen{{"bob", true}, {"carol", false}}},
		"presence_push": {Type: "presence", Users: []Seen{{"bob", false}}},
		"msg_large":     {Type: "msg", Shown: text},
		"own":           {Type: "own", Shown: Shown{Inbox: Place{Index: 19, Pre: 18}, Conversation: conv, Index: 6}},
		"error_retry": {Type: "error", ID: "3", Shown: Shown{Message: "The server is busy."},
			Code: CodeOverloaded, Retry: true, RetryMS: 500},
		"error_final": {Type: "error", Shown: Shown{Message: `key must be 1 to 64 printable ASCII characters without " and \.`}, Code: CodeInvalid},
	} {
		got, err := Receive(goldens()[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got, ok := text.Text(); !ok || got != "hi \"bob\"\n\u2028<b>é</b>" {
		t.Errorf("text is %q, %v", got, ok)
	}
	if got, ok := void.Text(); ok {
		t.Errorf("a void entry has the text %q", got)
	}
	if _, err := Receive([]byte(`{"type":`)); err == nil {
		t.Error("half a frame was accepted")
	}
}
