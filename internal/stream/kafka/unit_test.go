package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/internal/stream"
)

// TestTrail: X1: whatever comes, nothing younger than the window is let through,
// everything older by more than one step is, and little is remembered.
func TestTrail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const window = 64 * time.Second // a step is a second
		now := time.Unix(1e9, 0)
		tr := newTrail(5, window)
		type noted struct {
			at   time.Time
			next int64
		}
		past := []noted{{now.Add(-time.Hour), 5}}
		for range rapid.IntRange(1, 200).Draw(t, "moves") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 3_000).Draw(t, "ms")) * time.Millisecond)
			if next := past[len(past)-1].next + rapid.Int64Range(-3, 5).Draw(t, "by"); next > past[len(past)-1].next {
				tr.note(now, next)
				past = append(past, noted{now, next})
			} else {
				tr.note(now, next) // lower than an earlier one: ignored
			}
			low, high := int64(0), int64(0)
			for _, n := range past {
				if age := now.Sub(n.at); age >= window+window/steps {
					low = n.next
				}
				if now.Sub(n.at) >= window {
					high = n.next
				}
			}
			if got := tr.ripe(now); got < low || got > high {
				t.Fatalf("%d may be committed, want %d to %d", got, low, high)
			}
			if len(tr.marks) > steps+2 {
				t.Fatalf("%d marks are kept", len(tr.marks))
			}
		}
	})
}

func TestTrailWithoutWindow(t *testing.T) {
	tr := newTrail(3, 0)
	now := time.Unix(1e9, 0)
	for _, step := range [][2]int64{{3, 3}, {9, 9}, {4, 9}, {10, 10}} {
		tr.note(now, step[0])
		if got := tr.ripe(now); got != step[1] {
			t.Fatalf("after %d: %d may be committed, want %d", step[0], got, step[1])
		}
	}
}

func TestRepeats(t *testing.T) {
	seen := repeats{}
	for i, c := range []struct {
		id   recordID
		want bool
	}{
		{recordID{1, 1}, false}, {recordID{1, 2}, false}, {recordID{2, 1}, false},
		{recordID{1, 1}, true}, {recordID{1, 2}, true}, {recordID{1, 3}, false},
		{recordID{}, false}, {recordID{}, false}, // not ours
	} {
		if got := seen.seen(c.id); got != c.want {
			t.Errorf("%d: %v is a copy: %v", i, c.id, got)
		}
	}
	for i := range uint64(5 * maxProducers) {
		seen.seen(recordID{producer: i + 10})
	}
	if len(seen) > maxProducers {
		t.Errorf("%d producers are remembered", len(seen))
	}
}

func TestCommitMetadata(t *testing.T) {
	c := commit{offset: 7, incarnation: 3, handed: 12}
	if got := parseCommit(7, c.metadata()); got != c {
		t.Errorf("%+v came back as %+v", c, got)
	}
	for _, bad := range []string{"", "1", "1 2", "2 3 12", "x y z", "1 -3 4", "1 99999999999 4"} {
		if got := parseCommit(7, bad); got != noCommit {
			t.Errorf("%q: %+v", bad, got)
		}
	}
	if got := parseCommit(-1, c.metadata()); got != noCommit {
		t.Errorf("no offset: %+v", got)
	}
}

// TestEras: X3: when a topic begins a new incarnation, and what becomes of the
// offsets of the one before.
func TestEras(t *testing.T) {
	x, y := topicID{1}, topicID{2}
	h := &history{topics: map[string][]era{}}
	step := func(ev evidence, want uint32) {
		t.Helper()
		e, needed := h.next("single", ev)
		if want == 0 && needed || want != 0 && (!needed || e.Number != want) {
			t.Fatalf("next era: %+v, needed: %v; want %d", e, needed, want)
		}
		if needed {
			h.take(e)
			e.ID = topicID{9}
			h.take(e) // another process was second
		}
	}
	step(evidence{id: x, ends: []int64{0, 0}}, 1)
	step(evidence{id: x, ends: []int64{5, 5}}, 0)
	at := func(inc uint32, offset int64) map[int32]stream.Position {
		return map[int32]stream.Position{1: {Incarnation: inc, Offset: offset}}
	}
	step(evidence{id: x, ends: []int64{5, 5}, applied: at(1, 4)}, 0)
	step(evidence{id: x, ends: []int64{5, 5}, committed: at(1, 5)}, 0)
	step(evidence{id: x, ends: []int64{5, 3}, committed: at(1, 5)}, 2)
	line := h.timeline("single", x)
	for offset, want := range map[int64]uint32{0: 1, 2: 1, 3: 2, 9: 2} {
		if got := line.at(1, offset); got != want {
			t.Errorf("record %d is of era %d, want %d", offset, got, want)
		}
	}
	for _, c := range []struct {
		number uint32
		offset int64
		want   int64
		ok     bool
	}{{1, 5, 3, true}, {1, 2, 2, true}, {2, 8, 8, true}, {7, 1, 1, false}} {
		got, ok := line.carry(1, c.number, c.offset)
		if got != c.want || ok != c.ok {
			t.Errorf("offset %d of era %d became %d, %v", c.offset, c.number, got, ok)
		}
	}
	step(evidence{id: x, ends: []int64{5, 3}, applied: at(2, 3)}, 3)
	step(evidence{id: y, ends: []int64{0, 0}, applied: at(3, 9)}, 4)
	if line := h.timeline("single", y); len(line) != 1 || line.at(0, 0) != 4 {
		t.Errorf("the timeline of a topic made again is %+v", line)
	}
	// A history that was lost: the store has seen a later era than it tells of.
	step(evidence{id: y, ends: []int64{9, 9}, applied: at(40, 1)}, 41)
}

// encodeIdentities is the answer of a broker, by hand.
func encodeIdentities(code int16, name string, id topicID) []byte {
	compact := func(b []byte, s string) []byte {
		return append(binary.AppendUvarint(b, uint64(len(s)+1)), s...)
	}
	b := []byte{0, 0, 0, 0, 1, 3, 2, 'z', 'z', 0, 0, 0, 0} // correlation, a tag, throttle
	b = append(b, 2, 0, 0, 0, 1)                           // one broker
	b = append(compact(b, "127.0.0.1"), 0, 0, 0x23, 0x84, 0, 0)
	b = append(compact(b, "cluster"), 0, 0, 0, 1)
	b = binary.BigEndian.AppendUint16(append(b, 2), uint16(code))
	b = append(append(compact(b, name), id[:]...), 0)
	b = append(b, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0) // one partition
	b = append(b, 2, 0, 0, 0, 1, 2, 0, 0, 0, 1, 1, 0)          // replicas, in sync, offline
	return append(b, 0x80, 0, 0, 0, 0, 0)
}

func TestIdentities(t *testing.T) {
	id := topicID{1, 2, 3, 15: 9}
	got, err := decodeIdentities(encodeIdentities(0, "single", id))
	if diff := cmp.Diff(identities{"single": id}, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	if got, err := decodeIdentities(encodeIdentities(3, "single", id)); err != nil || len(got) != 0 {
		t.Fatalf("a topic that does not exist: %v, %v", got, err)
	}
	if _, err := decodeIdentities(encodeIdentities(29, "single", id)); err == nil {
		t.Fatal("a topic that may not be looked at is no error")
	}
	whole := encodeIdentities(0, "single", id)
	for n := range len(whole) - 1 {
		if _, err := decodeIdentities(whole[:n]); !errors.Is(err, errShort) {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
}

func FuzzIdentities(f *testing.F) {
	f.Add(encodeIdentities(0, "single", topicID{7}))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeIdentities(b)
		if err != nil && got != nil {
			t.Fatal("an answer and an error")
		}
	})
}

// TestAnswersInOrder: M51: acknowledgements come as the brokers please; answers
// in the order of the appends; and after a failure nothing is taken until all
// have been told.
func TestAnswersInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := &intake{lanes: map[stream.TopicID][]*lane{}}
		in.told = sync.NewCond(&in.mu)
		l := &Log{intake: intake{}}
		n := rapid.IntRange(1, 20).Draw(t, "appends")
		var all []*pending
		for i := range n {
			p := &pending{left: rapid.IntRange(1, 3).Draw(t, "records"), size: int64(i + 1)}
			in.bytes += p.size
			all = append(all, p)
		}
		in.unanswered = append(in.unanswered, all...)
		open := append([]*pending{}, all...)
		for range rapid.IntRange(0, 40).Draw(t, "acknowledgements") {
			if len(open) == 0 {
				break
			}
			i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
			if open[i].left--; open[i].left == 0 {
				open = append(open[:i], open[i+1:]...)
			}
			in.advance()
		}
		if rapid.Bool().Draw(t, "fails") {
			in.giveUp(stream.ErrUnavailable, nil)
			l.intake.refuse = in.refuse
			if err := l.admit(1); !errors.Is(err, stream.ErrUnavailable) || in.bytes != 0 || len(in.ready) != n {
				t.Fatalf("after a failure: %v, %d bytes, %d of %d answers", err, in.bytes, len(in.ready), n)
			}
		}
		for i, p := range in.ready {
			if p != all[i] || p.err == nil && p.left != 0 {
				t.Fatalf("answer %d is not that of append %d, or too early", i, i)
			}
		}
	})
}

func TestOptions(t *testing.T) {
	good := func() Options {
		return Options{
			Brokers: []string{"127.0.0.1:9092"},
			Topics:  []stream.Topic{{ID: 1, Name: "single", Partitions: 2}},
			Groups:  []stream.Group{{Name: "single", Topic: 1}},
		}
	}
	opt := good()
	if err := opt.setDefaults(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Options){
		"no brokers":          func(o *Options) { o.Brokers = nil },
		"a dot in a name":     func(o *Options) { o.Topics[0].Name = "a.b" },
		"our own topic":       func(o *Options) { o.Topics[0].Name = eras },
		"no partitions":       func(o *Options) { o.Topics[0].Partitions = 0 },
		"a topic twice":       func(o *Options) { o.Topics = append(o.Topics, o.Topics[0]) },
		"a group of no topic": func(o *Options) { o.Groups[0].Topic = 7 },
		"a short session":     func(o *Options) { o.SessionTimeout = time.Second },
		"no room":             func(o *Options) { o.MaxPendingBytes = 10 },
		"a negative window":   func(o *Options) { o.LossWindow = -1 },
	} {
		opt := good()
		spoil(&opt)
		if err := opt.setDefaults(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := (Security{Mechanism: "GSSAPI"}).mechanism(); err == nil {
		t.Error("an unknown mechanism was taken")
	}
}

func TestSettings(t *testing.T) {
	have := map[string]string{
		"min.insync.replicas": "1", "unclean.leader.election.enable": "true", "cleanup.policy": "delete",
		"retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": "2000000",
	}
	if err := judgeSettings(have, 1, 1<<20); err != nil {
		t.Errorf("one broker: %v", err)
	}
	err := judgeSettings(have, 3, 1<<20)
	if s := fmt.Sprint(err); !strings.Contains(s, "min.insync") || !strings.Contains(s, "unclean") {
		t.Errorf("three brokers: %v", err)
	}
	have["retention.ms"] = "604800000"
	if judgeSettings(have, 1, 1<<20) == nil || judgeSettings(nil, 1, 1<<20) == nil {
		t.Error("retention by time was taken")
	}
}

func TestCopyRecords(t *testing.T) {
	key, value := []byte("key"), []byte("value")
	items := copyRecords([]stream.Record{{Key: key, Value: value}, {}, {Value: value}}, &pending{})
	key[0], value[0] = '*', '*'
	for i, want := range [][2]string{{"key", "value"}, {"", ""}, {"", "value"}} {
		if !bytes.Equal(items[i].key, []byte(want[0])) || !bytes.Equal(items[i].value, []byte(want[1])) {
			t.Errorf("item %d is %q: %q", i, items[i].key, items[i].value)
		}
	}
}
