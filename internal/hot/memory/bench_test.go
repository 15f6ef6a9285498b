package memory_test

import (
	"runtime"
	"strconv"
	"testing"

	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/hot/memory"
)

const large = 50_000

func BenchmarkTouchAbsent(b *testing.B) {
	e := memory.New(memory.Options{})
	for i := range 1000 {
		have(b, e, strconv.Itoa(i), 10)
	}
	it := hot.Item{Member: "member", Score: 1}
	b.ReportAllocs()
	for b.Loop() {
		_ = e.Touch(ctx, "absent", it)
	}
}

// Members anywhere in a large set move to the top.
func BenchmarkTouchPresent(b *testing.B) {
	e := memory.New(memory.Options{})
	have(b, e, "u", large)
	items := list(large)
	score := int64(large)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		score++
		_ = e.Touch(ctx, "u", hot.Item{Member: items[i*31%large].Member, Score: score})
	}
}

func BenchmarkTop50(b *testing.B) {
	e := memory.New(memory.Options{})
	have(b, e, "u", large)
	for name, after := range map[string]*hot.Item{"first": nil, "middle": {Member: "x", Score: large / 2}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = e.Top(ctx, "u", after, 50)
			}
		})
	}
}

func BenchmarkFill(b *testing.B) {
	e := memory.New(memory.Options{})
	items := list(large)
	for b.Loop() {
		_ = e.Begin(ctx, "u")
		_ = e.Fill(ctx, "u", items)
		_ = e.Forget(ctx, "u")
	}
}

// What an item costs beside its member's bytes.
func BenchmarkMemory(b *testing.B) {
	items := list(large)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		e := memory.New(memory.Options{})
		_ = e.Begin(ctx, "u")
		_ = e.Fill(ctx, "u", items)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/large, "B/item")
		runtime.KeepAlive(e)
	}
}
