package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// M53: two people who have HTTP only.
func TestTwoPeopleChatOverTheShortLink(t *testing.T) {
	s := serve(t)
	alice, bob := s.web("alice"), s.web("bob")
	alice.refused("POST", "/v1/conversations", `{"with":"bob"}`, http.StatusNotFound, wire.CodeNotFound)
	if w := bob.signIn(); w.User != "bob" || w.Epoch == "" || w.Recovered || w.Inbox.Index != 0 || w.HeartbeatMS != 25000 {
		t.Errorf("bob's session %s", w.body)
	}
	id := alice.open("bob")
	if again := bob.open("alice"); again != id {
		t.Errorf("bob opened %s, alice %s", again, id)
	}
	text := "hi \"bob\" \\ \n\t\x01 <&> 😀 \u2028"
	sent := alice.send(id, "a1", text)
	if sent.Index != 1 || sent.N != 1 || sent.Key != "a1" || sent.Conversation != id || sent.At == 0 {
		t.Errorf("sent %s", sent.body)
	}
	got := bob.ok("GET", "/v1/inbox?wait_ms=30000", "")
	if len(got.Entries) != 1 || got.Entries[0].Inbox.Index != 1 || got.Entries[0].Message != sent.Message || got.Newest != 1 {
		t.Fatalf("bob got %s", got.body)
	}
	if shown := texts(t, got.Entries); shown[0] != text {
		t.Errorf("bob got %q", shown[0])
	}
	row := wire.Row{Conversation: id, With: "alice", Index: 1, N: 1, Unread: 1}
	if diff := cmp.Diff([]wire.Row{row}, bob.ok("GET", "/v1/conversations", "").Conversations, withoutTimes); diff != "" {
		t.Error(diff)
	}
	read := bob.ask("PUT", "/v1/conversations/"+id+"/read", `{"index":1}`)
	if read.status != http.StatusNoContent || len(read.body) != 0 {
		t.Errorf("read: %d %s", read.status, read.body)
	}
	row.Read, row.Unread = 1, 0
	if diff := cmp.Diff([]wire.Row{row}, bob.ok("GET", "/v1/conversations", "").Conversations, withoutTimes); diff != "" {
		t.Error("once read:", diff)
	}
	bob.send(id, "b1", "hello")
	page := alice.ok("GET", "/v1/conversations/"+id+"/messages", "")
	if diff := cmp.Diff([]string{text, "hello"}, texts(t, page.Messages)); diff != "" || page.More {
		t.Error(diff)
	}
	if page := alice.ok("GET", "/v1/conversations/"+id+"/messages?after=1&limit=1", ""); len(page.Messages) != 1 || page.More {
		t.Errorf("after the first: %s", page.body)
	}
	if page := alice.ok("GET", "/v1/conversations/"+id+"/messages?before=2", ""); len(page.Messages) != 1 || page.Messages[0].Index != 1 {
		t.Errorf("before the second: %s", page.body)
	}
	alice.refused("GET", "/v1/conversations/"+id+"/messages?before=2&after=1", "", http.StatusBadRequest, wire.CodeInvalid)
}

// M53: a client whose long link fails goes on over the short one, and back, in
// the middle of a retry: nothing is lost or doubled.
func TestAKeyMeansOneMessageOnBothLinks(t *testing.T) {
	s := serve(t)
	long := s.enter("alice")
	bob := s.enter("bob")
	short := s.web("alice")
	id := long.open("bob")
	first := long.send(id, "k1", "one")
	if again := short.send(id, "k1", "one"); again.Message != first.Message || again.Index != 1 || again.At != first.At {
		t.Errorf("the same over HTTP: %s", again.body)
	}
	second := short.send(id, "k2", "two")
	if again := long.send(id, "k2", "two"); again.Message != second.Message || again.Index != 2 {
		t.Errorf("the same over the long link: %+v", again)
	}
	messages := "/v1/conversations/" + id + "/messages"
	short.refused("POST", messages, `{"key":"k1","content":{"type":"text","text":"other"}}`, http.StatusConflict, wire.CodeConflict)
	short.refused("POST", messages, `{"key":"k4","after":"k3","content":{"type":"text","text":"4"}}`,
		http.StatusConflict, wire.CodePredecessorMissing)
	three := `{"after":"k2","content":{"type":"text","text":"3"}}`
	if r := short.ok("POST", messages, three, "Idempotency-Key", "k3"); r.Index != 3 || r.Key != "k3" {
		t.Errorf("the key as a header: %s", r.body)
	}
	if r := short.ok("POST", messages, `{"key":"k3",`+three[1:], "Idempotency-Key", "k3"); r.Index != 3 {
		t.Errorf("the key in both places: %s", r.body)
	}
	short.refused("POST", messages, `{"key":"k5",`+three[1:], http.StatusBadRequest, wire.CodeInvalid, "Idempotency-Key", "k6")
	short.refused("POST", messages, three, http.StatusBadRequest, wire.CodeInvalid)
	for i := range uint64(3) {
		if m := bob.push(); m.Type != "msg" || m.Inbox != (wire.Place{Index: i + 1, Pre: i}) || m.Index != i+1 {
			t.Errorf("bob got %+v", m)
		}
	}
	// What came over HTTP is an ordinary message on the sender's long link.
	for i, kind := range []string{"own", "msg", "msg"} {
		for len(long.pushed) == 0 {
			long.ping()
		}
		if m := long.push(); m.Type != kind || m.Inbox.Index != uint64(i+1) {
			t.Errorf("push %d on alice's link: %+v", i+1, m)
		}
	}
}

// X3 on the short link: recovered is true only if missed is all.
func TestASessionTellsWhatWasMissed(t *testing.T) {
	s := serve(t)
	alice, bob := s.web("alice"), s.web("bob")
	epoch := bob.signIn().Epoch
	id := alice.open("bob")
	for i := range 3 {
		alice.send(id, fmt.Sprint("k", i), fmt.Sprint(i))
	}
	s = s.again()
	bob = s.web("bob")
	bob.reach(3)
	at := func(epoch string, index, heads int) *said {
		return bob.ok("POST", "/v1/sessions",
			fmt.Sprintf(`{"device":"web","inbox":{"epoch":%q,"index":%d,"heads":%d}}`, epoch, index, heads))
	}
	if w := at(epoch, 1, 0); !w.Recovered || w.Inbox.Index != 3 || cmp.Diff([]string{"1", "2"}, texts(t, w.Missed)) != "" {
		t.Errorf("resumed: %s", w.body)
	}
	if w := at(epoch, 3, 0); !w.Recovered || len(w.Missed) != 0 || !strings.Contains(string(w.body), `"missed":[]`) {
		t.Errorf("nothing was missed: %s", w.body)
	}
	for name, w := range map[string]*said{
		"another epoch": at("other", 1, 0), "the future": at(epoch, 4, 0), "heads have moved": at(epoch, 1, 7), "no position": bob.signIn(),
	} {
		if w.Recovered || strings.Contains(string(w.body), "missed") {
			t.Errorf("%s: %s", name, w.body)
		}
	}
}

func TestBootstrapTellsWhereToGo(t *testing.T) {
	s := serve(t)
	w := newWeb(t, s.Addr(), "")
	r := w.ok("GET", "/v1/bootstrap", "")
	for _, part := range []string{
		`{"url":"ws://` + s.Addr() + `/v1/link","weight":1}`, `{"url":"http://` + s.Addr() + `/v1","weight":1}`,
		`"max_text_bytes":8192`, `"max_message_bytes":65536`, `"large_group_size":1000`, `"heartbeat_ms":25000`,
		`"retry":{"base_ms":250,"cap_ms":30000,"jitter":"full"}`, `"long_poll"`,
	} {
		if !strings.Contains(string(r.body), part) {
			t.Errorf("%s is not in %s", part, r.body)
		}
	}
	tag := r.header.Get("ETag")
	if tag == "" || !strings.Contains(r.header.Get("Cache-Control"), "max-age") {
		t.Errorf("header %v", r.header)
	}
	for _, match := range []string{tag, `"other", W/` + tag, "*"} {
		if r := w.ask("GET", "/v1/bootstrap", "", "If-None-Match", match); r.status != http.StatusNotModified || len(r.body) != 0 {
			t.Errorf("%s: %d %s", match, r.status, r.body)
		}
	}
	w.ok("GET", "/v1/bootstrap", "", "If-None-Match", `"other"`)
	if head := w.ok("HEAD", "/v1/bootstrap", ""); len(head.body) != 0 || head.header.Get("ETag") != tag {
		t.Errorf("HEAD: %s %v", head.body, head.header)
	}
	secure := w.ok("GET", "/v1/bootstrap", "", "X-Forwarded-Proto", "https")
	if !strings.Contains(string(secure.body), "wss://") || secure.header.Get("ETag") == tag {
		t.Errorf("behind TLS: %s", secure.body)
	}
}

// Pages that may open a long link may use the short one, and others cannot read
// what it answers.
func TestPagesOfAllowedOriginsMayAsk(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.PublicOrigins = []string{"https://*.shop.example"} })
	w := s.web("alice")
	for origin, allowed := range map[string]bool{
		"https://www.shop.example": true, "https://WWW.shop.example": true, "http://www.shop.example": false,
		"https://shop.example": false, "https://evil.example": false, "https://www.shop.example.evil.example": false, "null": false,
	} {
		want := ""
		if allowed {
			want = origin
		}
		r := w.ok("GET", "/v1/heads", "", "Origin", origin)
		if got := r.header.Get("Access-Control-Allow-Origin"); got != want || r.header.Get("Vary") != "Origin" {
			t.Errorf("%s: %q, %v", origin, got, r.header)
		}
		ask := w.ask("OPTIONS", "/v1/conversations", "", "Origin", origin, "Access-Control-Request-Method", "POST")
		methods := ask.header.Get("Access-Control-Allow-Methods")
		if (ask.status == http.StatusNoContent) != allowed || strings.Contains(methods, "POST") != allowed {
			t.Errorf("%s beforehand: %d, %v", origin, ask.status, ask.header)
		}
		refused := w.refused("GET", "/v1/nothing", "", http.StatusNotFound, wire.CodeNotFound, "Origin", origin)
		if got := refused.header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s, a refusal: %q", origin, got)
		}
	}
	w.refused("OPTIONS", "/v1/conversations", "", http.StatusMethodNotAllowed, wire.CodeUnknownType)
}

// M2: members come and go over HTTP. Who has left may repeat what he sent, and
// is refused anything else.
func TestGroupsOverTheShortLink(t *testing.T) {
	s := serve(t)
	alice, bob, carol := s.web("alice"), s.web("bob"), s.web("carol")
	bob.signIn()
	carol.signIn()
	group := func() *said {
		return alice.ok("POST", "/v1/groups", `{"title":"Returns","members":["bob"]}`, "Idempotency-Key", "g1")
	}
	id := group().Conversation
	if again := group().Conversation; again != id {
		t.Errorf("made twice: %s, %s", id, again)
	}
	alice.refused("POST", "/v1/groups", `{"key":"g1","title":"Other"}`, http.StatusConflict, wire.CodeConflict)
	first := bob.send(id, "b1", "hello")
	members := "/v1/conversations/" + id + "/members"
	bob.refused("POST", members, `{"add":["carol"]}`, http.StatusForbidden, wire.CodeForbidden)
	alice.refused("POST", members, `{"add":["nobody"]}`, http.StatusNotFound, wire.CodeNotFound)
	if r := alice.ok("POST", members, `{"add":["carol"],"remove":["bob"]}`); r.Index != 3 || r.Conversation != id {
		t.Errorf("changed %s", r.body)
	}
	if r := alice.ok("POST", members, `{"remove":["bob"]}`); r.Index != 0 || strings.Contains(string(r.body), "index") {
		t.Errorf("nothing changed: %s", r.body)
	}
	page := carol.ok("GET", members+"?limit=1", "")
	if page.Total != 2 || page.Cursor != "alice" || len(page.Members) != 1 || page.Members[0].Role != "owner" {
		t.Errorf("first page %s", page.body)
	}
	if page = carol.ok("GET", members+"?cursor=alice", ""); page.Cursor != "" || len(page.Members) != 1 || page.Members[0].User != "carol" {
		t.Errorf("last page %s", page.body)
	}
	if again := bob.send(id, "b1", "hello"); again.Message != first.Message || again.Index != first.Index {
		t.Errorf("repeated by one who left: %s", again.body)
	}
	bob.refused("POST", "/v1/conversations/"+id+"/messages", `{"key":"b2","content":{"type":"text","text":"x"}}`, http.StatusForbidden, wire.CodeForbidden)
	bob.refused("GET", members, "", http.StatusForbidden, wire.CodeForbidden)
}

// A user has one allowance for both links: what he sent over one is gone for the
// other. So has an address with its connections, and is told so by a problem.
func TestLimitsAreSharedByBothLinks(t *testing.T) {
	s := serve(t, func(c *config.Config) {
		c.Limits.SendsPerSecond, c.Limits.SendsBurst = 1, 3
		c.Limits.RequestsPerSecond, c.Limits.RequestsBurst = 1, 4
	})
	long, short := s.enter("alice"), s.web("alice")
	s.web("bob").signIn()
	id := long.open("bob")
	long.send(id, "k1", "one")
	for k := 2; ; k++ {
		body := fmt.Sprintf(`{"key":"k%d","content":{"type":"text","text":"x"}}`, k)
		r := short.ask("POST", "/v1/conversations/"+id+"/messages", body)
		if r.status == http.StatusOK && k < 20 {
			continue
		}
		short.refusal(r, http.StatusTooManyRequests, wire.CodeOverloaded, "a send too many")
		if r.problem.RetryMS < 1 || r.problem.RetryMS > 1000 || r.header.Get("Retry-After") != "1" {
			t.Errorf("%s, %v", r.body, r.header)
		}
		break
	}
	short.signIn() // costs nothing
	for asked := 0; ; asked++ {
		r := short.ask("GET", "/v1/heads", "")
		if r.status == http.StatusOK && asked < 20 {
			continue
		}
		short.refusal(r, http.StatusTooManyRequests, wire.CodeOverloaded, "a request too many")
		break
	}
	s.web("bob").ok("GET", "/v1/heads", "") // others have their own

	s = serve(t, func(c *config.Config) { c.Limits.ConnectionsPerAddress = 1 })
	s.enter("alice")
	s.web("bob").refused("GET", "/v1/heads", "", http.StatusTooManyRequests, wire.CodeOverloaded)
}
