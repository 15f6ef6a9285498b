package app

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/auth"
	"github.com/merchantim/merchantim/internal/gateway/wire"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/usecase"
)

// defective is a store whose next reading of a body meets a defect.
type defective struct {
	kv.Store
	armed atomic.Bool
}

func (d *defective) Get(ctx context.Context, partition, key []byte) ([]byte, error) {
	if key[0] == 'b' && d.armed.Swap(false) {
		panic("a defect")
	}
	return d.Store.Get(ctx, partition, key)
}

// life runs a server until stop.
func life(t *testing.T, cfg config.Config, opts ...Option) (a *App, stop func()) {
	t.Helper()
	a, err := Open(cfg, quiet, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	select {
	case <-a.Ready():
	case err := <-ended:
		t.Fatalf("the server ended before it was ready: %v", err)
	}
	return a, func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	}
}

// listed waits until one letter is listed.
func listed(t *testing.T, operator *admin.Client) admin.Letter {
	t.Helper()
	for {
		page, err := operator.Letters(within(t), "", usecase.MaxDead)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Letters) > 0 {
			return page.Letters[0]
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// An operator replays what met a defect: asked over the admin listener while the
// server runs, read from its files when it has stopped.
func TestAnOperatorAndADeadLetter(t *testing.T) {
	cfg := settings(t)
	cfg.Store.FlushInterval = 10 * time.Millisecond
	a, stop := life(t, cfg)
	_ = enter(t, a, "bob").ws.CloseNow()
	alice := enter(t, a, "alice")
	id := alice.open("bob")
	if f, err := alice.ask(wire.AppendSend(nil, "1", id, "k1", "", "first")); err != nil || f.Type != "sent" {
		t.Fatalf("%+v, %v", f, err)
	}
	_ = alice.ws.CloseNow() // else the stop waits for her goodbye
	stop()

	d := &defective{}
	next, stop := life(t, cfg, WrapKV(func(s kv.Store) kv.Store { d.Store = s; return d }))
	alice = enter(t, next, "alice")
	d.armed.Store(true)
	if f, err := alice.ask(wire.AppendSend(nil, "2", id, "k2", "k1", "second")); err != nil || f.Code != wire.CodeInternal {
		t.Fatalf("%+v, %v", f, err)
	}
	key, err := auth.AdminKey(cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	operator := admin.NewClient(next.AdminAddr(), key)
	l := listed(t, operator)
	if l.State != "parked" || l.Conversation != id || l.Void != 2 || l.From != "alice" {
		t.Errorf("the letter is %+v", l)
	}
	for _, again := range []bool{false, true} {
		done, err := operator.Replay(within(t), l.ID)
		if err != nil || done.Index != 3 || done.Again != again || done.Conversation != id {
			t.Errorf("replayed: %+v, %v", done, err)
		}
	}
	if f, err := alice.ask(wire.AppendSend(nil, "3", id, "k2", "k1", "second")); err != nil || f.Index != 3 {
		t.Errorf("sent again: %+v, %v", f, err)
	}
	if _, err := operator.Letter(within(t), "1-0-99999"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a letter that is not there: %v", err)
	}
	if err := Stopped(t.Context(), cfg, quiet, nil); err == nil || !strings.Contains(err.Error(), "runs") && !strings.Contains(err.Error(), "lock") {
		t.Errorf("the files of a live server: %v", err)
	}
	_ = alice.ws.CloseNow() // else the stop waits for her goodbye
	stop()

	var all []usecase.Dead
	err = Stopped(t.Context(), cfg, quiet, func(s *usecase.Service) error {
		var refusal *domain.Error
		if all, refusal = s.DeadLetters(t.Context(), nil, 10); refusal != nil {
			return refusal
		}
		return nil
	})
	if err != nil || len(all) != 1 || !all[0].Verdict.Done || all[0].Verdict.Index != 3 || all[0].Place.String() != l.ID {
		t.Errorf("when it has stopped: %+v, %v", all, err)
	}
	cfg.Data = t.TempDir()
	if err := Stopped(t.Context(), cfg, quiet, nil); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
}
