package pipeline_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/pipeline"
)

// answer is what a request got.
type answer struct {
	code  domain.Code // of a refusal
	conv  domain.ConversationID
	entry chat.Entry
}

// push is what a connection of a user was handed.
type push struct {
	item user.Item
	body string
}

// links are the connections of all users, who write down what they get. Nothing
// counts before it was flushed.
type links struct {
	mu      sync.Mutex
	changed chan struct{}
	answers map[string][]answer
	order   []string // requests as they were answered
	pushes  map[domain.UserID][]push
	online  map[domain.UserID]bool
}

func newLinks(online ...domain.UserID) *links {
	l := &links{
		changed: make(chan struct{}), answers: make(map[string][]answer),
		pushes: make(map[domain.UserID][]push), online: make(map[domain.UserID]bool),
	}
	for _, u := range online {
		l.online[u] = true
	}
	return l
}

func (l *links) Outbox() pipeline.Outbox { return &outbox{links: l} }

// wait waits until ok holds of what was written down.
func (l *links) wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	hung := time.After(30 * time.Second)
	for {
		l.mu.Lock()
		done, changed := ok(), l.changed
		l.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-hung:
			t.Fatalf("never seen: %s", what)
		}
	}
}

// answer waits for the first answer to a request.
func (l *links) answer(t testing.TB, request string) (a answer) {
	t.Helper()
	l.wait(t, "the answer to "+request, func() bool {
		if len(l.answers[request]) == 0 {
			return false
		}
		a = l.answers[request][0]
		return true
	})
	return a
}

// answered are all requests that got a first answer, as it was.
func (l *links) answered() map[string]answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]answer, len(l.answers))
	for request, a := range l.answers {
		all[request] = a[0]
	}
	return all
}

// pushed waits until a user got n pushes and returns them.
func (l *links) pushed(t testing.TB, u domain.UserID, n int) (p []push) {
	t.Helper()
	l.wait(t, "pushes to "+string(u), func() bool {
		p = slices.Clone(l.pushes[u])
		return len(p) >= n
	})
	return p
}

// outbox is for one owner, who alone uses it.
type outbox struct {
	links *links
	held  []func(*links)
}

func (o *outbox) answer(to domain.Origin, a answer) {
	if len(to.Request) == 0 {
		return // nobody asked
	}
	request := string(to.Request)
	a.entry.Key = slices.Clone(a.entry.Key)
	o.held = append(o.held, func(l *links) {
		l.answers[request] = append(l.answers[request], a)
		l.order = append(l.order, request)
	})
}

func (o *outbox) Sent(to domain.Origin, conv domain.ConversationID, e *chat.Entry) {
	o.answer(to, answer{conv: conv, entry: *e})
}

func (o *outbox) Opened(to domain.Origin, conv domain.ConversationID) {
	o.answer(to, answer{conv: conv})
}

func (o *outbox) Changed(to domain.Origin, conv domain.ConversationID, index uint64) {
	o.answer(to, answer{conv: conv, entry: chat.Entry{Index: index}})
}

func (o *outbox) Done(to domain.Origin) { o.answer(to, answer{}) }

func (o *outbox) Refused(to domain.Origin, why *domain.Error) { o.answer(to, answer{code: why.Code}) }

func (o *outbox) Online(u domain.UserID) bool {
	o.links.mu.Lock()
	defer o.links.mu.Unlock()
	return o.links.online[u]
}

func (o *outbox) Push(u domain.UserID, item user.Item, _ domain.Origin, m *chat.Message) {
	p := push{item, string(m.Body)}
	o.held = append(o.held, func(l *links) { l.pushes[u] = append(l.pushes[u], p) })
}

func (o *outbox) Room(context.Context) error { return nil }

func (o *outbox) Flush() {
	l := o.links
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fn := range o.held {
		fn(l)
	}
	o.held = o.held[:0]
	close(l.changed)
	l.changed = make(chan struct{})
}
