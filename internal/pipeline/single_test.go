package pipeline

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/kv/memory"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
)

// An entry that concerns more members than one record tells of reaches each of
// them once, and a partition hears of all that are its own (M58).
func TestAnEntryReachesEveryoneHoweverMany(t *testing.T) {
	for _, n := range []int{1, chunk, chunk + 1, 3*chunk - 1} {
		state := &store.ChainState{Chain: chat.NewChain(chat.Seed{}, chat.Head{Form: chat.Group}, nil), ID: room}
		for i := range n {
			state.Head.Members = append(state.Head.Members, chat.Member{ID: domain.UserID(fmt.Sprintf("user-%06d", i))})
		}
		f := fanout{partitions: 3}
		f.out(state, &chat.Entry{Index: 7, Kind: chat.Text, From: "user-000000"}, &record.Single{}, state.Head.Members, chat.Write, nil)
		got := make(map[domain.UserID]int)
		for _, r := range f.take() {
			var m record.Mixed
			if err := record.DecodeMixed(r.Value, &m); err != nil || m.Index != 7 || len(m.Concerned) > chunk {
				t.Fatalf("%+v, %v", m, err)
			}
			for _, c := range m.Concerned {
				if userPartition(c.User, f.partitions) == r.Partition {
					got[c.User]++
				}
			}
		}
		want := make(map[domain.UserID]int)
		for _, m := range state.Head.Members {
			want[m.ID] = 1
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d members:\n%s", n, diff)
		}
	}
}

// told counts the answers that go out.
type told struct {
	crowd
	sent int
}

func (o *told) Sent(domain.Origin, domain.ConversationID, *chat.Entry) { o.sent++ }

// doubtful is a log that tells by script what became of what it was given.
type doubtful struct {
	stream.Log
	tell func(error)
}

func (l *doubtful) Append(_ stream.TopicID, _ []stream.Record, done func(error)) error {
	l.tell = done
	return nil
}

func (*doubtful) Err() error { return errors.New("a failed sync") }

// An answer is held until what it says is durable; if that fails it never goes
// out (M51).
func TestAnswersWaitForTheSync(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want int
	}{{"durable", nil, 1}, {"failed", errors.New("a failed sync"), 0}} {
		log, out := &doubtful{}, &told{}
		h := newHeld(log, out, unwatched{})
		h.Sent(domain.Origin{}, room, &chat.Entry{Index: 1})
		h.Flush()
		h.mu.Lock()
		if len(h.durable) != 0 || h.waiting != 1 {
			t.Errorf("%s: %d batches may go before the sync, %d wait", c.name, len(h.durable), h.waiting)
		}
		h.mu.Unlock()
		if log.tell == nil {
			t.Fatalf("%s: the log was not asked", c.name)
		}
		log.tell(c.err)
		ended, end := context.WithCancel(t.Context())
		end()
		h.run(ended) // lets out what may go
		if out.sent != c.want {
			t.Errorf("%s: %d answers went out, want %d", c.name, out.sent, c.want)
		}
	}
}

// What was applied before is not answered again: whoever asked got his answer,
// or asks again under the same key. Its fan-out is repeated (X1).
func TestAReplayIsSilent(t *testing.T) {
	engine, out := memory.New(), &told{}
	st := openStore(t, engine)
	recs := []stream.Record{
		at(0, record.AppendOpen(nil, domain.Origin{}, ann, 1, []domain.UserID{ann, bob})),
		at(1, said(1, "first", "")),
	}
	for life, want := range []struct{ sent, fan int }{{1, 1}, {1, 1}} {
		x := newSingle(st.Chains, out, unwatched{}, 1)
		for i := range recs {
			if err := x.step(t.Context(), &recs[i]); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(x.fan.take()); n != want.fan || out.sent != want.sent {
			t.Errorf("life %d: %d records of fan-out and %d answers by now, want %+v", life, n, out.sent, want)
		}
		flushed(t, st)
		st = openStore(t, engine)
	}
}

// A record that was parked is not parked again by a replay, even of all there
// ever was: its dead letter tells (M56, X1).
func TestAParkedRecordIsParkedOnce(t *testing.T) {
	engine := memory.New()
	recs := []stream.Record{
		at(0, record.AppendOpen(nil, domain.Origin{}, ann, 1, []domain.UserID{ann, bob})),
		at(1, []byte("garbage")),
		at(2, said(1, "first", "")),
		at(3, []byte("garbage")),
	}
	for life := range 3 {
		st := openStore(t, engine)
		if n := len(fannedOut(t, st, recs)); n != 3 {
			t.Errorf("life %d: %d records of fan-out, want 3", life, n)
		}
		flushed(t, st)
		head, err := st.Chains.Head(t.Context(), room)
		if err != nil || head.Last != 3 || head.N != 1 {
			t.Errorf("life %d: the chain ends at %d with %d messages, %v", life, head.Last, head.N, err)
		}
	}
}
