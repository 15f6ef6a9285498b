//go:build node

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// keepAll waits until what everybody keeps is what the server tells by its public
// API, and was handed out once.
func keepAll(t *testing.T, addr string, people ...*node) {
	t.Helper()
	for _, n := range people {
		w := newWeb(t, addr, n.token)
		for deadline := time.Now().Add(nodePatience); ; time.Sleep(20 * time.Millisecond) {
			diff := n.differs(w)
			if diff == "" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s keeps something else than the server: %.3000s", n.name, diff)
			}
		}
	}
}

// differs compares all that a client keeps with the server.
func (n *node) differs(w *web) string {
	n.t.Helper()
	n.ok("list", fields{"limit": 3}, nil) // an answer brings waiting places, too
	mine := n.dump()
	if diff := cmp.Diff(w.whole("/v1/inbox?limit=500&after=%d", "entries", inboxIndex), mine.Inbox); diff != "" {
		return "inbox: " + diff
	}
	if diff := cmp.Diff(w.rows(), byConversation(mine.Rows)); diff != "" {
		return "list: " + diff
	}
	heads := w.heads()
	if diff := cmp.Diff(heads, mine.heads()); diff != "" {
		return "large groups: " + diff
	}
	left := make(map[string]bool)
	for _, row := range mine.Rows {
		left[row["conversation"].(string)] = row["left"] == true
	}
	for conversation, chain := range mine.Chains {
		if left[conversation] { // its history is closed to him
			continue
		}
		path := "/v1/conversations/" + conversation + "/messages?limit=200&after=%d"
		if diff := cmp.Diff(w.whole(path, "messages", index), n.since(chain, w.joined(conversation, n.name))); diff != "" {
			return conversation + ": " + diff
		}
	}
	return n.handedOut(mine)
}

// handedOut compares what the client told with what it keeps.
func (n *node) handedOut(mine *kept) string {
	want := make(map[spot]int)
	for conversation, chain := range mine.Chains {
		for _, m := range chain {
			want[spot{conversation, index(m)}] = 1
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return cmp.Diff(want, n.seen, cmp.AllowUnexported(spot{}))
}

// since drops what was before somebody came back: the server shows it no more.
func (n *node) since(chain []map[string]any, joined uint64) []map[string]any {
	at := slices.IndexFunc(chain, func(m map[string]any) bool { return index(m) >= joined })
	return chain[max(at, 0):]
}

func index(m map[string]any) uint64      { return uint64(m["index"].(float64)) }
func inboxIndex(m map[string]any) uint64 { return index(m["inbox"].(map[string]any)) }

func (k *kept) heads() map[string]uint64 {
	heads := make(map[string]uint64)
	for _, conversation := range k.Large {
		chain := k.Chains[conversation]
		heads[conversation] = index(chain[len(chain)-1])
	}
	return heads
}

func byConversation(rows []map[string]any) []map[string]any {
	sort.Slice(rows, func(i, j int) bool {
		return rows[i]["conversation"].(string) < rows[j]["conversation"].(string)
	})
	return rows
}

// into asks and decodes the body.
func (w *web) into(path string, v any) {
	w.t.Helper()
	r := w.ok(http.MethodGet, path, "")
	if err := json.Unmarshal(r.body, v); err != nil {
		w.t.Fatal(err)
	}
}

// whole reads all pages from the first entry on.
func (w *web) whole(path, name string, place func(map[string]any) uint64) []map[string]any {
	w.t.Helper()
	all := []map[string]any{}
	for after := uint64(0); ; after = place(all[len(all)-1]) {
		var page map[string]json.RawMessage
		w.into(fmt.Sprintf(path, after), &page)
		var some []map[string]any
		if err := json.Unmarshal(page[name], &some); err != nil {
			w.t.Fatal(err)
		}
		if len(some) == 0 {
			return all
		}
		all = append(all, some...)
	}
}

func (w *web) rows() []map[string]any {
	w.t.Helper()
	all := []map[string]any{}
	for cursor := ""; ; {
		var page struct {
			Conversations []map[string]any
			Cursor        string
		}
		w.into("/v1/conversations?limit=200&cursor="+cursor, &page)
		if all = append(all, page.Conversations...); page.Cursor == "" {
			return byConversation(all)
		}
		cursor = page.Cursor
	}
}

func (w *web) heads() map[string]uint64 {
	w.t.Helper()
	var list struct {
		Heads []struct {
			Conversation string
			Index        uint64
		}
	}
	w.into("/v1/heads", &list)
	heads := make(map[string]uint64)
	for _, h := range list.Heads {
		heads[h.Conversation] = h.Index
	}
	return heads
}

// joined is the entry with which somebody came.
func (w *web) joined(conversation, user string) uint64 {
	w.t.Helper()
	var page struct {
		Members []struct {
			User  string
			Since uint64
		}
	}
	w.into("/v1/conversations/"+conversation+"/members?limit=1000", &page)
	for _, m := range page.Members {
		if m.User == user {
			return m.Since
		}
	}
	w.t.Fatalf("%s is not in %s", user, conversation)
	return 0
}

// texts returns what one person wrote into a chain, in its order.
func (k *kept) texts(conversation, from string) (all []string) {
	for _, m := range k.Chains[conversation] {
		if text, ok := m["content"].(map[string]any)["text"].(string); ok && m["from"] == from {
			all = append(all, text)
		}
	}
	return all
}

// talk is somebody's texts into one conversation, all sent at once.
type talk struct {
	*node
	conversation string
	texts        []string
	answers      []<-chan told
}

func (n *node) talk(conversation string) *talk { return &talk{node: n, conversation: conversation} }

// say orders so many more texts.
func (k *talk) say(count int) {
	k.t.Helper()
	for range count {
		key := fmt.Sprintf("%s-%d", k.name, len(k.texts)+1)
		text := key + " “<\\\"\u2028>” " + strings.Repeat("词", len(k.texts)%40)
		k.texts = append(k.texts, text)
		k.answers = append(k.answers, k.order("send", fields{"conversation": k.conversation, "key": key, "text": text}))
	}
}

// answered waits for every answer: they rise, and are where the chain has them.
func (k *talk) answered() {
	k.t.Helper()
	last := uint64(0)
	for i, answer := range k.answers {
		var sent struct{ Index uint64 }
		k.okay(k.answer(answer), &sent)
		if sent.Index <= last {
			k.t.Errorf("%s: text %d is at %d, the one before at %d", k.name, i, sent.Index, last)
		}
		last = sent.Index
	}
	k.answers = nil
}

// stands checks that a store has these texts, each once and in order.
func (k *talk) stands(in *node) {
	k.t.Helper()
	if diff := cmp.Diff(k.texts, in.dump().texts(k.conversation, k.name)); diff != "" {
		k.t.Errorf("%s keeps other texts of %s: %.2000s", in.name, k.name, diff)
	}
}
