package admin_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/usecase"
)

// graves are dead letters by script.
type graves struct {
	asked   int
	after   *domain.Place
	limit   int
	letters []usecase.Dead
	refusal *domain.Error
}

func (g *graves) DeadLetters(_ context.Context, after *domain.Place, limit int) ([]usecase.Dead, *domain.Error) {
	g.asked++
	g.after, g.limit = after, limit
	return g.letters[:min(limit, len(g.letters))], g.refusal
}

func (g *graves) DeadLetter(_ context.Context, place domain.Place) (usecase.Dead, *domain.Error) {
	g.asked++
	for _, l := range g.letters {
		if l.Place == place {
			return l, g.refusal
		}
	}
	return usecase.Dead{}, domain.Refuse(domain.NotFound, "There is no dead letter %v.", place)
}

func (g *graves) Replay(context.Context, domain.Place) (usecase.Replayed, *domain.Error) {
	g.asked++
	return usecase.Replayed{Conversation: conversation, Index: 9}, g.refusal
}

var (
	conversation = domain.ConversationID{0xab}
	first        = domain.Place{Position: domain.Position{Incarnation: 1, Offset: 7}}
	second       = domain.Place{Partition: 2, Position: domain.Position{Incarnation: 1, Offset: 8}}
)

func twoLetters() []usecase.Dead {
	return []usecase.Dead{
		{
			Letter: store.Letter{
				Conversation: conversation, Place: first, Void: 4, Record: []byte("secret words"),
				Verdict: store.Verdict{Code: domain.Forbidden, Message: "You are not a member."},
			},
			Kind: record.Send, From: "ann", Key: []byte("k"), At: 1_790_000_000_000_000,
		},
		{Letter: store.Letter{Conversation: conversation, Place: second, Record: []byte("secret")}, Fault: "unknown"},
	}
}

func TestDeadLettersAreShownWithoutTheirWords(t *testing.T) {
	h := newHouse(t)
	h.dead.letters = twoLetters()
	res := h.do("GET", "/admin/dead?after=1-0-3&limit=2", h.key, "")
	var page admin.Letters
	if err := json.Unmarshal(res.Body.Bytes(), &page); err != nil || res.Code != 200 {
		t.Fatalf("%d %s, %v", res.Code, res.Body, err)
	}
	d := h.dead.letters
	want := admin.Letters{Letters: []admin.Letter{admin.NewLetter(&d[0]), admin.NewLetter(&d[1])}, Next: "1-2-8"}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Error(diff)
	}
	if l := page.Letters[0]; l.ID != "1-0-7" || l.State != "refused" || l.Kind != "send" || l.Bytes != 12 || l.Accepted.Year() != 2026 {
		t.Errorf("the first letter is %+v", l)
	}
	if l := page.Letters[1]; l.State != "parked" || l.Fault == "" || !l.Accepted.IsZero() {
		t.Errorf("the second letter is %+v", l)
	}
	if h.dead.after == nil || h.dead.after.Position.Offset != 3 || h.dead.limit != 2 {
		t.Errorf("asked for %d after %v", h.dead.limit, h.dead.after)
	}
	one := h.do("GET", "/admin/dead/1-0-7", h.key, "")
	if one.Code != 200 || !strings.Contains(one.Body.String(), `"id":"1-0-7"`) {
		t.Errorf("%d %s", one.Code, one.Body)
	}
	for _, text := range []string{res.Body.String(), one.Body.String(), h.log.String()} {
		if strings.Contains(text, "secret") {
			t.Errorf("what was written is told: %s", text)
		}
	}
	res = h.do("GET", "/admin/dead", h.key, "")
	if strings.Contains(res.Body.String(), "next") || h.dead.after != nil || h.dead.limit != usecase.MaxDead {
		t.Errorf("%s, asked for %d after %v", res.Body, h.dead.limit, h.dead.after)
	}
}

func TestAReplayIsAudited(t *testing.T) {
	h := newHouse(t)
	res := h.do("POST", "/admin/dead/1-0-7/replay", h.key, "")
	if res.Code != 200 || !strings.Contains(res.Body.String(), `"index":9,"again":false`) {
		t.Fatalf("%d %s", res.Code, res.Body)
	}
	for _, part := range []string{`msg="dead letter replayed"`, `by="admin key"`, "letter=1-0-7", "index=9", "level=INFO"} {
		if !strings.Contains(h.log.String(), part) {
			t.Errorf("the log lacks %s: %s", part, h.log.String())
		}
	}
	for code, status := range map[domain.Code]int{
		domain.Invalid: 400, domain.NotFound: 404, domain.Conflict: 409, domain.Unavailable: 503, domain.Overloaded: 503, domain.Internal: 500,
	} {
		h.log.Reset()
		h.dead.refusal = domain.Refuse(code, "Because.")
		isProblem(t, h.do("POST", "/admin/dead/1-0-7/replay", h.key, ""), status, "Because.")
		if !strings.Contains(h.log.String(), "not replayed") || !strings.Contains(h.log.String(), "code="+string(code)) {
			t.Errorf("the log lacks the refusal: %s", h.log.String())
		}
	}
}

func TestBadRequestsForDeadLetters(t *testing.T) {
	h := newHouse(t)
	for query, why := range map[string]string{
		"after=7": "after", "after=1-0-7x": "after", "after=1-0--7": "after", "limit=0": "limit", "limit=101": "limit",
		"limit=-1": "limit", "limit=many": "limit", "limit=99999999999999999999": "limit", "a;b": "query",
	} {
		isProblem(t, h.do("GET", "/admin/dead?"+query, h.key, ""), 400, why)
	}
	for _, id := range []string{"7", "1-0-x", "1-0-7-8", strings.Repeat("9", 4000)} {
		isProblem(t, h.do("GET", "/admin/dead/"+id, h.key, ""), 400, "not the id")
		isProblem(t, h.do("POST", "/admin/dead/"+id+"/replay", h.key, ""), 400, "not the id")
	}
	isProblem(t, h.do("POST", "/admin/dead/1-0-7/replay", h.key, "{}"), 400, "no body")
	isProblem(t, h.do("POST", "/admin/dead/1-0-7/replay", h.key, strings.Repeat("a", 2<<20)), 400, "no body")
	isProblem(t, h.do("DELETE", "/admin/dead/1-0-7", h.key, ""), 405, "DELETE")
	if h.dead.asked != 0 {
		t.Errorf("asked %d times", h.dead.asked)
	}
	isProblem(t, h.do("GET", "/admin/dead/1-0-7", h.key, ""), 404, "1-0-7")
	h.dead.refusal = domain.Refuse(domain.Unavailable, "Not now.")
	isProblem(t, h.do("GET", "/admin/dead", h.key, ""), 503, "Not now.")
}
