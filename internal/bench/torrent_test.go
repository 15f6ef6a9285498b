package bench

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// flowing is a torrent over a server that answers sends as send does, once some
// were refused or accepted and all are answered.
func flowing(t *testing.T, send func(k *echoLink, f *frame) error, enough func(*torrent) bool) *torrent {
	t.Helper()
	l, err := connect(t.Context(), serveHere(t, &moody{newEchoServer(), send}), testPool(), shape{users: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	tr := newTorrent(l, 1000)
	tr.set(1000, 3)
	l.start()
	l.watchers.Go(tr.pace)
	waitFor(t, l, func() bool { return enough(tr) })
	l.stopping.Store(true)
	return tr
}

func TestATorrentGivesUpWhatIsRefused(t *testing.T) {
	dice := newDice()
	tr := flowing(t, func(k *echoLink, f *frame) error {
		if dice.oneIn(3) {
			return k.refuse(f, "overloaded", 500)
		}
		return k.send(f)
	}, func(tr *torrent) bool { return tr.shed.Load() > 100 })
	waitFor(t, tr.load, tr.answered)
	stored, err := tr.check()
	if err != nil || stored != 0 {
		t.Errorf("stored although refused: %d, %v", stored, err)
	}
	if err := tr.load.broken(); err != nil {
		t.Error(err)
	}
	sum := tr.span(0, tr.load.now()/1000+1e6)
	if sum.offered.Load() != tr.load.offered.Load() || sum.refused.Load() != tr.shed.Load() || int64(sum.ack.count()) != tr.load.accepted.Load() {
		t.Errorf("seconds add up to %d offered, %d refused, %d accepted", sum.offered.Load(), sum.refused.Load(), sum.ack.count())
	}
}

func TestATorrentFindsWhatWasLost(t *testing.T) {
	tr := flowing(t, func(k *echoLink, f *frame) error {
		k.out = appendSent(k.out[:0], f, 1, 1) // and delivers nothing
		return k.write()
	}, func(tr *torrent) bool { return tr.load.accepted.Load() > 10 })
	if _, err := tr.check(); exitCode(err) != ExitProduct || !strings.Contains(err.Error(), "not delivered") {
		t.Errorf("%v", err)
	}
}

func TestATorrentSeesARefusalThatWasNone(t *testing.T) {
	var once atomic.Bool
	tr := flowing(t, func(k *echoLink, f *frame) error {
		if err := k.send(f); err != nil || once.Swap(true) {
			return err
		}
		return k.refuse(f, "unavailable", 0) // a second answer, too
	}, func(tr *torrent) bool { return tr.load.delivered.Load() > 10 })
	waitFor(t, tr.load, func() bool { return tr.load.broken() != nil })
	if err := tr.load.broken(); !strings.Contains(err.Error(), "stray_answer") {
		t.Errorf("%v", err)
	}
}

func TestRecoveryIsTheFirstGoodSecond(t *testing.T) {
	for _, c := range []struct {
		story string
		p99   []time.Duration // of the seconds after the overload
		bad   int             // the second in which something was refused
		want  float64
		ok    bool
	}{
		{"at once", []time.Duration{5e6, 5e6, 5e6}, -1, 0.5, true},
		{"slow for two seconds", []time.Duration{90e6, 20e6, 5e6}, -1, 2.5, true},
		{"refusing for one", []time.Duration{5e6, 5e6, 5e6}, 0, 1.5, true},
		{"never", []time.Duration{50e6, 50e6, 50e6}, -1, 3.5, false},
	} {
		tr := newTorrent(newLoad(testPool()), 10)
		for s, ns := range c.p99 {
			for range 10 {
				tr.second(int64(s+1) * 1e6).ack.record(int64(ns))
			}
			if s == c.bad {
				tr.second(int64(s+1) * 1e6).refused.Add(1)
			}
		}
		got, ok := tr.recovery(10, parts{after: moment{at: 500_000}, end: moment{at: 4e6}}, 10)
		if got != c.want || ok != c.ok {
			t.Errorf("%s: %v, %v; want %v, %v", c.story, got, ok, c.want, c.ok)
		}
	}
}
