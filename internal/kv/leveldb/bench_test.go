package leveldb

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/vfs"
)

// traffic makes what the store writer writes each second for two-person chats:
// a run of entries with 200-byte texts and a head a conversation, a run of inbox
// entries and a list row a member.
type traffic struct {
	rng   *rand.Rand
	words []string
	chats int
	index []uint64 // newest entry of each chat
}

func newTraffic(chats int) *traffic {
	tr := &traffic{rng: rand.New(rand.NewPCG(1, 1)), chats: chats, index: make([]uint64, chats)}
	for range 2000 {
		w := make([]byte, 2+tr.rng.IntN(8))
		for i := range w {
			w[i] = "eeeeettttaaaaooooiiinnnssshhhrrrdlcumwfgypbvk"[tr.rng.IntN(45)]
		}
		tr.words = append(tr.words, string(w))
	}
	return tr
}

func (tr *traffic) id(kind byte, n int) []byte {
	id := make([]byte, 17)
	id[0] = kind
	binary.BigEndian.PutUint64(id[1:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[9:], uint64(n)*0xc2b2ae3d27d4eb4f)
	return id
}

// run is n entries of a chat: sender, client id, message id, time, hash, text.
func (tr *traffic) run(n int) []byte {
	var b []byte
	for range n {
		b = binary.BigEndian.AppendUint64(b, tr.rng.Uint64()) // of the message id
		b = binary.BigEndian.AppendUint64(b, tr.rng.Uint64()) // of the hash
		b = append(b, "user-0001key-0000001"...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(b)))
		for end := len(b) + 200; len(b) < end; {
			b = append(append(b, tr.words[tr.rng.IntN(len(tr.words))]...), ' ')
		}
	}
	return b
}

// second makes the batches for n messages.
func (tr *traffic) second(n int) (batches []kv.Batch, payload int) {
	count := make([]int, tr.chats)
	first := tr.rng.IntN(tr.chats)
	for i := range n {
		if tr.chats > n {
			count[(first+i)%tr.chats]++
		} else {
			count[tr.rng.IntN(tr.chats)]++
		}
	}
	add := func(b kv.Batch) {
		for _, op := range b.Ops {
			payload += len(op.Key) + len(op.Value)
		}
		batches = append(batches, b)
	}
	for c, n := range count {
		if n == 0 {
			continue
		}
		at := tr.index[c]
		tr.index[c] += uint64(n)
		head := func(i uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 40), i) }
		b := kv.Batch{Partition: tr.id('c', c), Ops: []kv.Op{
			{Key: binary.BigEndian.AppendUint64([]byte("e"), at), Value: tr.run(n)},
			{Key: []byte("head"), Value: head(tr.index[c])},
		}}
		if at == 0 {
			b.If = []kv.Cond{{Key: []byte("head"), Absent: true}}
		} else {
			b.If = []kv.Cond{{Key: []byte("head"), Value: head(at)}}
		}
		add(b)
		for m := range 2 {
			inbox := make([]byte, 0, 8*n)
			for range n {
				inbox = binary.BigEndian.AppendUint64(inbox, tr.rng.Uint64()>>24)
			}
			add(kv.Batch{Partition: tr.id('u', 2*c+m), Ops: []kv.Op{
				{Key: binary.BigEndian.AppendUint64([]byte("i"), at), Value: inbox},
				{Key: append([]byte("l"), tr.id('c', c)...), Value: head(tr.index[c])},
				{Key: []byte("head"), Value: head(tr.index[c])},
			}})
		}
	}
	return batches, payload
}

// BenchmarkMessages writes b.N messages as fast as it goes and reports the cost
// of one: bytes handed over, bytes written to disk, CPU of the whole process.
func BenchmarkMessages(b *testing.B) {
	for _, lazy := range []bool{false, true} {
		for _, chats := range []int{500, 100_000} {
			b.Run(fmt.Sprintf("lazy=%v/chats=%d", lazy, chats), func(b *testing.B) {
				benchMessages(b, Options{LazyLog: lazy}, chats)
			})
		}
	}
}

func benchMessages(b *testing.B, o Options, chats int) {
	const rate = 12_000
	s, err := Open(vfs.OS(), b.TempDir(), o)
	if err != nil {
		b.Fatal(err)
	}
	tr := newTraffic(chats)
	var payload, batches int
	var cpu time.Duration
	b.ResetTimer()
	for sent, second := 0, 0; sent < b.N; second++ {
		n := min(rate, b.N-sent)
		b.StopTimer()
		work, bytes := tr.second(n)
		b.StartTimer()
		sent, payload, batches = sent+n, payload+bytes, batches+len(work)
		began := cpuTime(b)
		if errs := s.Apply(b.Context(), work); errs != nil {
			b.Fatal(errs)
		}
		if second%15 == 14 {
			if err := s.Checkpoint(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		cpu += cpuTime(b) - began
	}
	began := cpuTime(b)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	cpu += cpuTime(b) - began
	b.StopTimer()
	st := s.Stats()
	msgs := float64(b.N)
	b.ReportMetric(float64(payload)/msgs, "payload-B/msg")
	b.ReportMetric(float64(st.BytesWritten)/msgs, "written-B/msg")
	b.ReportMetric(float64(cpu.Microseconds())/msgs, "cpu-µs/msg")
	b.ReportMetric(float64(cpu.Microseconds())/float64(batches), "cpu-µs/batch")
	b.ReportMetric(st.WriteDelaySeconds, "delayed-s")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkApply is the cost of calls of 1,000 batches, each with a condition
// and three puts of 2 KB together.
func BenchmarkApply(b *testing.B) {
	s, err := Open(vfs.OS(), b.TempDir(), Options{LazyLog: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	tr := newTraffic(1)
	texts := make([][]byte, 64)
	for i := range texts {
		texts[i] = tr.run(7)
	}
	batches := make([]kv.Batch, 1000)
	var cpu time.Duration
	for call := 0; b.Loop(); call++ {
		b.StopTimer()
		for i := range batches {
			head := binary.BigEndian.AppendUint64(nil, uint64(call))
			batches[i] = kv.Batch{Partition: tr.id('c', i), Ops: []kv.Op{
				{Key: append([]byte("e"), head...), Value: texts[(call+i)%len(texts)]},
				{Key: []byte("dedupe"), Value: texts[0][:200]},
				{Key: []byte("head"), Value: binary.BigEndian.AppendUint64(nil, uint64(call+1))},
			}}
			if call == 0 {
				batches[i].If = []kv.Cond{{Key: []byte("head"), Absent: true}}
			} else {
				batches[i].If = []kv.Cond{{Key: []byte("head"), Value: head}}
			}
		}
		b.StartTimer()
		began := cpuTime(b)
		if errs := s.Apply(b.Context(), batches); errs != nil {
			b.Fatal(errs)
		}
		cpu += cpuTime(b) - began
	}
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N)/1000, "cpu-µs/batch")
}
