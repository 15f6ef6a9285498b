package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/usecase"
)

// signIn is the hello of the short link. It keeps nothing: what it tells is
// where the client stands, as welcome does.
func signIn(c *call) *domain.Error {
	f, svc := &c.frame, c.opt.Service
	var state usecase.State
	var missed []usecase.Delivery
	var recovered bool
	var refusal *domain.Error
	if f.Resumes {
		at := usecase.Position{Epoch: f.Epoch, State: usecase.State{Inbox: f.InboxIndex, Heads: f.HeadSum}}
		state, missed, recovered, refusal = svc.Resume(c.ctx(), c.user, at)
	} else {
		state, refusal = svc.Newest(c.ctx(), c.user)
	}
	if refusal != nil {
		return refusal
	}
	body := wire.Bare(wire.AppendWelcome(nil, nil, &wire.Welcome{
		User: string(c.user), Epoch: c.opt.Epoch(), Recovered: recovered, InboxIndex: state.Inbox, HeadSum: state.Heads,
		HeartbeatMS: c.opt.Heartbeat.Milliseconds(), MaxTextBytes: c.opt.MaxText, MaxInflight: c.opt.MaxInflight,
		At: time.Now().UnixMilli(),
	}))
	if recovered {
		body = wire.AppendMissed(body, entries(missed))
	}
	return c.reply(body)
}

// bootstrapTime is how long a client may go by what bootstrap said.
const bootstrapTime = "private, max-age=60"

// bootstrap tells a client all that it needs before it signs in.
func bootstrap(c *call) *domain.Error {
	told := c.start(c.r)
	body, err := json.Marshal(told)
	if err != nil {
		c.opt.Log.Error("bootstrap not encoded", "err", err)
		return domain.Refuse(domain.Internal, "The server cannot describe itself.")
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	h := c.w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", bootstrapTime)
	h.Add("Vary", "Host, X-Forwarded-Proto")
	if matches(c.r.Header.Values("If-None-Match"), tag) {
		write(c.w, http.StatusNotModified, "", nil)
		return nil
	}
	return c.reply(body)
}

// matches reports whether a tag is among those of If-None-Match, compared
// weakly (RFC 9110, section 13.1.2).
func matches(lists []string, tag string) bool {
	for _, list := range lists {
		for one := range strings.SplitSeq(list, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// start is what bootstrap tells whoever came by this request's address.
func (s *Server) start(r *http.Request) start {
	secure := ""
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		secure = "s" // a proxy before this server speaks TLS
	}
	groups := s.opt.Service.Groups
	return start{
		Links: []entryPoint{
			{URL: "ws" + secure + "://" + r.Host + "/v1/link", Weight: 1},
			{URL: "http" + secure + "://" + r.Host + "/v1", Weight: 1},
		},
		Limits: limits{
			TextBytes: s.opt.MaxText, Inflight: s.opt.MaxInflight, MessageBytes: s.opt.MaxMessage,
			GroupMembers: groups.Members, LargeGroup: groups.Large, Named: wire.MaxNamed, TitleBytes: wire.MaxTitle,
			History: wire.MaxHistory, Inbox: wire.MaxInbox, List: wire.MaxList, Members: wire.MaxMembers, WaitMS: maxWaitMS,
		},
		HeartbeatMS: s.opt.Heartbeat.Milliseconds(),
		Retry:       retry{BaseMS: 250, CapMS: 30_000, Jitter: "full"},
		Features:    []string{"groups", "large_groups", "resume", "long_poll"},
	}
}
