package rest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

func someLinks() *Links {
	return newLinks(&Options{Node: 1, MaxRequests: 2, MaxPollers: 3, MaxPollersOfUser: 2})
}

func TestAnAnswerFindsItsWaiter(t *testing.T) {
	l := someLinks()
	o := l.Outbox()
	a, _ := l.wait()
	b, _ := l.wait()
	if _, ok := l.wait(); ok {
		t.Error("more wait than may")
	}
	if !Owns(a.id) || !Owns(b.id) || a.id == b.id || Owns(1<<62) {
		t.Errorf("ids %x %x", a.id, b.id)
	}
	to := func(w *waiter) domain.Origin { return domain.Origin{Node: 1, Conn: w.id} }
	id := domain.ConversationID{1}
	o.Done(domain.Origin{Node: 2, Conn: a.id}) // another process
	o.Done(domain.Origin{Node: 1, Conn: 5})    // nobody
	o.Sent(to(a), id, &chat.Entry{Key: []byte("k"), Index: 5, N: 4, At: 3})
	o.Refused(to(b), domain.Refuse(domain.Conflict, "no"))
	o.Done(to(b)) // an answer once given stays
	want := wire.AppendSent(nil, nil, &wire.Sent{Conversation: id, Key: []byte("k"), Index: 5, N: 4, At: 3})
	if got := <-a.answer; cmp.Diff(want, got.frame) != "" || got.refusal != nil {
		t.Errorf("a got %s, %v", got.frame, got.refusal)
	}
	if got := <-b.answer; got.refusal == nil || got.refusal.Code != domain.Conflict {
		t.Errorf("b got %+v", got)
	}
	l.drop(a)
	o.Opened(to(a), id) // too late
	if len(a.answer) != 0 {
		t.Error("an answer for one who is gone")
	}
	if c, ok := l.wait(); !ok || c.id == a.id {
		t.Error("the place of one who is gone is not given again, or his number is")
	}
}

func TestAPushWakesThePollersOfItsUser(t *testing.T) {
	l := someLinks()
	o := l.Outbox()
	push := func(id domain.UserID) { o.Push(id, user.Item{}, domain.Origin{}, nil) }
	push("alice")
	if o.Online("alice") {
		t.Error("nobody polls")
	}
	a1, _ := l.watch("alice")
	a2, _ := l.watch("alice")
	if _, ok := l.watch("alice"); ok {
		t.Error("more of one user than may")
	}
	b, ok := l.watch("bob")
	if _, more := l.watch("carol"); more || !ok {
		t.Error("more in all than may, or fewer")
	}
	push("alice")
	push("alice") // who is awake is not woken twice
	if len(a1.wake) != 1 || len(a2.wake) != 1 || len(b.wake) != 0 || !o.Online("bob") || o.Online("carol") {
		t.Errorf("awake: %d %d %d", len(a1.wake), len(a2.wake), len(b.wake))
	}
	l.leave("alice", a1)
	l.leave("alice", a2)
	if l.leave("bob", b); o.Online("alice") || o.Online("bob") || len(l.pollers) != 0 || l.polling.Load() != 0 {
		t.Errorf("left behind: %v", l.pollers)
	}
}

// For the race detector: stages answer and push while requests come and go.
func TestLinksUnderLoad(t *testing.T) {
	l := newLinks(&Options{Node: 1, MaxRequests: 100, MaxPollers: 100, MaxPollersOfUser: 100})
	var wg sync.WaitGroup
	for i := range 8 {
		id := domain.UserID(fmt.Sprint("user", i%3))
		wg.Go(func() {
			o := l.Outbox()
			for range 500 {
				w, ok := l.wait()
				p, polls := l.watch(id)
				if !ok || !polls {
					t.Error("no place")
					return
				}
				o.Done(domain.Origin{Node: 1, Conn: w.id})
				o.Push(id, user.Item{}, domain.Origin{}, nil)
				<-w.answer
				<-p.wake
				l.leave(id, p)
				l.drop(w)
			}
		})
	}
	wg.Wait()
	if len(l.waiters) != 0 || l.polling.Load() != 0 {
		t.Errorf("%d waiters, %d pollers are left", len(l.waiters), l.polling.Load())
	}
}

// While nobody polls, a push costs next to nothing: it allocates nothing and
// takes no lock (the lock is held here).
func TestAPushToNobodyTakesNoLock(t *testing.T) {
	l := someLinks()
	o := l.Outbox()
	l.pollMu.Lock()
	defer l.pollMu.Unlock()
	if n := testing.AllocsPerRun(100, func() { o.Push("alice", user.Item{}, domain.Origin{}, nil); o.Online("alice") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
