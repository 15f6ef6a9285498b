package app

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/auth"
	"github.com/merchantim/merchantim/internal/gateway/limit"
	"github.com/merchantim/merchantim/internal/gateway/rest"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/gateway/ws"
	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/presence"
	"github.com/merchantim/merchantim/internal/usecase"
)

// answerTime is how long a request of the short link waits for its answer from
// the log.
const answerTime = 5 * time.Second

// buildLinks makes both links, which end in the same use-cases.
func (a *App) buildLinks(keys *auth.Keys, p *parts) error {
	cfg := &a.cfg
	service := &usecase.Service{
		Accept: a.accept, Store: a.store, Recents: a.recents, Log: a.log,
		Durable: func(ctx context.Context) error { return pipeline.Durable(ctx, a.stream) },
		Groups:  chat.Limits{Members: cfg.Limits.MaxGroupMembers, Large: cfg.Limits.LargeGroupSize},
	}
	a.service = service
	long := ws.Service(service)
	if p.wrapUse != nil {
		long = p.wrapUse(long)
	}
	verify := func(token string) (domain.UserID, time.Time, error) {
		claims, err := keys.Verify(token)
		return domain.UserID(claims.User), claims.Expires, err
	}
	welcome := func(ctx context.Context, id domain.UserID) error { return a.store.Users.Ensure(ctx, id) }
	a.users = newUsers(&cfg.Limits)
	a.online = presence.New(presence.Options{Grace: presenceGrace, Pause: presencePause})
	a.hub = ws.NewHub(ws.Options{
		Node: cfg.Node, Origins: cfg.PublicOrigins,
		Heartbeat: cfg.Link.Heartbeat, HelloTimeout: cfg.Link.HelloTimeout, WriteTimeout: cfg.Link.WriteTimeout,
		MaxMessage: int(cfg.Link.MaxMessageBytes), MaxInflight: cfg.Link.MaxInflight,
		QueueBytes: int(cfg.Link.QueueBytes), MaxQueued: int64(cfg.Link.MaxQueuedBytes), MaxConns: cfg.Link.MaxConnections, MaxText: int(cfg.Limits.MaxTextBytes),
		Frames: limit.PerSecond(cfg.Limits.FramesPerSecond, cfg.Limits.FramesBurst),
		Users:  a.users, UserLinks: cfg.Limits.LinksPerUser, Load: a.load, Presence: a.online,
		Verify: verify, Welcome: welcome, Epoch: a.store.Epoch,
		Service: long, Metrics: a.metrics, Log: a.log,
	})
	var err error
	a.short, err = rest.New(rest.Options{
		Node: cfg.Node, Origins: cfg.PublicOrigins, Heartbeat: cfg.Link.Heartbeat, MaxText: int(cfg.Limits.MaxTextBytes),
		MaxInflight: cfg.Link.MaxInflight, MaxMessage: min(int(cfg.Link.MaxMessageBytes), wire.MaxMessage),
		MaxRequests: cfg.Short.MaxRequests, MaxPollers: cfg.Short.MaxPolls, MaxPollersOfUser: cfg.Short.PollsPerUser,
		BodyTime: cfg.Short.BodyTimeout, AnswerTime: answerTime,
		Users: a.users, Clock: a.hub.Clock, Presence: a.online.Ask,
		Verify: verify, Welcome: welcome, Epoch: a.store.Epoch,
		Service: service, Metrics: a.metrics, Log: a.log,
	})
	if err != nil {
		return err
	}
	a.links = &http.Server{
		Handler: a.listener.Handler(a.route()), ConnContext: a.listener.Context,
		ReadHeaderTimeout: cfg.Link.HelloTimeout, IdleTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	a.stages = &pipeline.Stages{
		Log: a.stream, Store: a.store, Writer: a.writer, Recents: a.recents, Links: links{a.hub, a.short.Links()},
		Watch: newWatcher(a.metrics), Incarnation: a.store.Incarnation,
		Batch: cfg.Pipeline.ReadBatch, Logger: a.log,
	}
	return nil
}

// route tells the links apart. What is not the long link's is the short link's,
// which also says that there is nothing at a path.
func (a *App) route() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/link" && r.Method == http.MethodGet {
			a.hub.ServeHTTP(w, r)
			return
		}
		a.short.ServeHTTP(w, r)
	})
}

// links are both links of this process as one, for the stages.
type links struct {
	long  *ws.Hub
	short *rest.Links
}

// Outbox returns a place for the answers and pushes of one owner.
func (l links) Outbox() pipeline.Outbox {
	return &outbox{Outbox: l.long.Outbox(), links: l.short, short: l.short.Outbox()}
}

// outbox hands answers to the link that the request came by, and pushes to both.
type outbox struct {
	pipeline.Outbox // the long link
	links           *rest.Links
	short           pipeline.Outbox
}

func (o *outbox) of(to domain.Origin) pipeline.Outbox {
	if rest.Owns(to.Conn) {
		return o.short
	}
	return o.Outbox
}

func (o *outbox) Sent(to domain.Origin, id domain.ConversationID, e *chat.Entry) {
	o.of(to).Sent(to, id, e)
}

func (o *outbox) Opened(to domain.Origin, id domain.ConversationID) { o.of(to).Opened(to, id) }

func (o *outbox) Changed(to domain.Origin, id domain.ConversationID, index uint64) {
	o.of(to).Changed(to, id, index)
}

func (o *outbox) Done(to domain.Origin) { o.of(to).Done(to) }

func (o *outbox) Refused(to domain.Origin, why *domain.Error) { o.of(to).Refused(to, why) }

// Online and Push are on the way of every message to every member: while nobody
// polls they ask the short link one bit.
func (o *outbox) Online(id domain.UserID) bool {
	return o.Outbox.Online(id) || o.links.Polled() && o.short.Online(id)
}

func (o *outbox) Push(id domain.UserID, item user.Item, from domain.Origin, m *chat.Message) {
	o.Outbox.Push(id, item, from, m)
	if o.links.Polled() {
		o.short.Push(id, item, from, m)
	}
}
