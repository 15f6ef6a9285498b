package trail

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A trail reads back as it was written, whatever came over the link.
func TestTrail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alice.phone.jsonl")
	w, err := Create(path, NewClock())
	if err != nil {
		t.Fatal(err)
	}
	send := `{"type":"send","id":"1","conversation":"c","key":"k","after":"j","content":{"type":"text","text":"\u2028 \"hi\"\n"}}`
	w.Up(1)
	w.Intend(1, Clash, []byte(send))
	w.Sent(1, []byte(send))
	w.Received(1, []byte(`{"type":"entries","id":"2","entries":[{"inbox":{"index":2,"pre":1},"index":7}],"newest":2}`))
	w.Received(1, []byte(`{"type":"sent","index":"seven"}`)) // JSON, but not of the protocol
	w.Received(1, []byte("{\"type\":\n\"own\"}"))
	w.Received(1, []byte(`{"type":`))
	w.Down(1, 4410, "too \"slow\"")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	var got []Event
	for ev, err := range Read(path) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Where.File != "alice.phone.jsonl" || ev.Where.Line != len(got)+1 {
			t.Errorf("where: %v", ev.Where)
		}
		ev.T, ev.Where = 0, Where{}
		if ev.Kind == Bad {
			ev.Note, ev.Frame = "bad", Frame{}
		}
		got = append(got, ev)
	}
	frame := Frame{Type: "send", ID: "1", After: KeyRef("j"), Entry: Entry{Conversation: "c", Key: "k",
		Content: &Content{Type: "text", Text: "\u2028 \"hi\"\n"}}}
	want := []Event{
		{Kind: Up, Link: 1},
		{Kind: Intent, Link: 1, Expect: Clash, Frame: frame},
		{Kind: Out, Link: 1, Frame: frame},
		{Kind: In, Link: 1, Frame: Frame{Type: "entries", ID: "2", Newest: 2,
			Entries: []Entry{{Inbox: &Place{Index: 2, Pre: 1}, Index: 7}}}},
		{Kind: Bad, Link: 1, Note: "bad"},
		{Kind: Bad, Link: 1, Note: "bad"},
		{Kind: Bad, Link: 1, Note: "bad"},
		{Kind: Down, Link: 1, Code: 4410, Note: "too \"slow\""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if frame.AfterKey() != "j" || frame.AfterIndex() != -1 || (Frame{After: IndexRef(12)}).AfterIndex() != 12 {
		t.Error("after")
	}
}

func TestBrokenTrail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(path, []byte("{\"t\":1,\"k\":\"up\"}\n{\"t\":"), 0o600); err != nil {
		t.Fatal(err)
	}
	events, failed := 0, false
	for _, err := range Read(path) {
		if err != nil {
			failed = true
			break
		}
		events++
	}
	if events != 1 || !failed {
		t.Errorf("%d events, failed %v", events, failed)
	}
	for _, err := range Read(path + ".absent") {
		if err == nil {
			t.Error("read what is not there")
		}
	}
}
