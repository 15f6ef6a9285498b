package kvtest

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/internal/kv"
)

// model is the contract in its plainest form: a map for each partition.
type model map[string]map[string]string

func (m model) apply(b kv.Batch) error {
	p := m[string(b.Partition)]
	for _, c := range b.If {
		v, ok := p[string(c.Key)]
		if ok == c.Absent || ok && v != string(c.Value) {
			return kv.ErrConflict
		}
	}
	if p == nil {
		p = map[string]string{}
		m[string(b.Partition)] = p
	}
	for _, op := range b.Ops {
		if op.Delete {
			delete(p, string(op.Key))
		} else {
			p[string(op.Key)] = string(op.Value)
		}
	}
	return nil
}

func (m model) scan(partition []byte, r kv.Range) []string {
	keys := slices.Sorted(maps.Keys(m[string(partition)]))
	if r.Reverse {
		slices.Reverse(keys)
	}
	out := []string{}
	for _, k := range keys {
		if r.From != nil && k < string(r.From) || r.To != nil && k >= string(r.To) {
			continue
		}
		if r.Limit > 0 && len(out) == 2*r.Limit {
			break
		}
		out = append(out, k, m[string(partition)][k])
	}
	return out
}

// Few names and keys, so that they meet; built to be prefixes of each other.
var (
	genPart  = rapid.SampledFrom([]string{"a", "ab", "a\x00", "\xff", "b"})
	genKey   = rapid.SampledFrom([]string{"\x00", "a", "a\x00", "aa", "b", "\xff", "\xff\xff", "k1", "k2", "k3"})
	genValue = rapid.SampledFrom([]string{"", "1", "2", "3", string(fill(5000))})
)

func drawBatch(t *rapid.T, m model) kv.Batch {
	b := kv.Batch{Partition: []byte(genPart.Draw(t, "partition"))}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		c := kv.Cond{Key: []byte(genKey.Draw(t, "condition's key"))}
		v, there := m[string(b.Partition)][string(c.Key)]
		if rapid.IntRange(0, 3).Draw(t, "luck") > 0 { // mostly true as of now
			c.Absent, c.Value = !there, []byte(v)
		} else {
			c.Absent, c.Value = rapid.Bool().Draw(t, "absent"), []byte(genValue.Draw(t, "expected"))
		}
		b.If = append(b.If, c)
	}
	for range rapid.IntRange(0, 4).Draw(t, "operations") {
		op := kv.Op{Key: []byte(genKey.Draw(t, "key")), Delete: rapid.IntRange(0, 3).Draw(t, "kind") == 0}
		if !op.Delete {
			op.Value = []byte(genValue.Draw(t, "value"))
		}
		b.Ops = append(b.Ops, op)
	}
	return b
}

func drawRange(t *rapid.T) kv.Range {
	r := kv.Range{Reverse: rapid.Bool().Draw(t, "reverse"), Limit: rapid.IntRange(0, 5).Draw(t, "limit")}
	bound := func(name string) []byte {
		if rapid.Bool().Draw(t, name+" open") {
			return nil
		}
		return []byte(genKey.Draw(t, name))
	}
	r.From, r.To = bound("from"), bound("to")
	return r
}

// behavesAsAMap does random things to the store and to the model.
func behavesAsAMap(t *testing.T, open func(t *testing.T) kv.Store, f Features) {
	rapid.Check(t, func(rt *rapid.T) {
		s, m := open(t), model{}
		defer func() { _ = s.Close() }()
		actions := map[string]func(*rapid.T){
			"apply": func(rt *rapid.T) { applyBoth(rt, s, m) },
			"get":   func(rt *rapid.T) { getBoth(rt, s, m) },
			"scan":  func(rt *rapid.T) { scanBoth(rt, s, m, []byte(genPart.Draw(rt, "partition")), drawRange(rt)) },
			"checkpoint": func(rt *rapid.T) {
				if err := s.Checkpoint(ctx); err != nil {
					rt.Fatal(err)
				}
			},
		}
		if f.Reopen != nil {
			actions["reopen"] = func(*rapid.T) { s = f.Reopen(t, s) }
		}
		rt.Repeat(actions)
		for part := range m {
			scanBoth(rt, s, m, []byte(part), kv.Range{})
		}
	})
}

func applyBoth(t *rapid.T, s kv.Store, m model) {
	var batches []kv.Batch
	var want []error
	failed := false
	for range rapid.IntRange(1, 5).Draw(t, "batches") {
		b := drawBatch(t, m)
		batches = append(batches, b)
		want = append(want, m.apply(b))
		failed = failed || want[len(want)-1] != nil
	}
	got := s.Apply(ctx, batches)
	if failed != (got != nil) || failed && len(got) != len(want) {
		t.Fatalf("apply: %v; want %v", got, want)
	}
	for i := range got {
		if !errors.Is(got[i], want[i]) {
			t.Fatalf("batch %d: %v; want %v", i, got[i], want[i])
		}
	}
}

func getBoth(t *rapid.T, s kv.Store, m model) {
	part, key := genPart.Draw(t, "partition"), genKey.Draw(t, "key")
	want, there := m[part][key]
	got, err := s.Get(ctx, []byte(part), []byte(key))
	if there && (err != nil || string(got) != want) || !there && !errors.Is(err, kv.ErrNotFound) {
		t.Fatalf("get %q %q: %q, %v; want %q, %v", part, key, got, err, want, there)
	}
}

func scanBoth(t *rapid.T, s kv.Store, m model, part []byte, r kv.Range) {
	got := []string{}
	err := s.Scan(ctx, part, r, func(k, v []byte) error {
		got = append(got, string(bytes.Clone(k)), string(bytes.Clone(v)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m.scan(part, r), got); d != "" {
		t.Fatalf("scan %q %+v (-want +got):\n%s", part, r, d)
	}
}
