package redis

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/merchantim/merchantim/internal/kv"
)

// Scan implements kv.Store.
//
// A page is read in one step of the server, and most ranges end within the
// first. Behind it the partition may have changed. Then the range is read again
// from its beginning: if all that was delivered is still the same, what is there
// now is one state with it, and the scan goes on; else it is ErrUnavailable.
func (s *Store) Scan(ctx context.Context, partition []byte, r kv.Range, fn func(key, value []byte) error) error {
	if err := kv.CheckPartition(partition); err != nil {
		return err
	}
	sc := &scan{store: s, keys: s.keys(partition), r: r, limit: r.Limit, seed: maphash.MakeSeed()}
	if r.To != nil && len(r.To) == 0 { // nothing is below the empty key
		sc.end = true
	}
	// The first page is asked for even of an empty range: for ErrClosed.
	for first := true; first || !sc.end; first = false {
		page, err := sc.next(ctx)
		if err != nil {
			return err
		}
		for i := 0; i < len(page); i += 2 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := fn([]byte(page[i]), []byte(page[i+1])); errors.Is(err, kv.Stop) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// scan is one under way.
type scan struct {
	store   *Store
	keys    []string
	r       kv.Range
	limit   int // entries still to come, if r.Limit is set
	end     bool
	version string
	last    string // the last key delivered
	pages   []seen // what was delivered
	seed    maphash.Seed
}

// seen is a page that was delivered.
type seen struct {
	entries int
	sum     uint64
}

// page is an answer of scan.lua.
type page struct {
	version string
	more    bool
	pairs   []string
}

// maxReread bounds how often one scan begins again.
const maxReread = 8

// next reads the next page, of the same state as those before it.
func (sc *scan) next(ctx context.Context) ([]string, error) {
	done, err := sc.store.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if sc.end {
		return nil, nil
	}
	for range maxReread {
		most := sc.store.opt.pageEntries
		if sc.r.Limit > 0 {
			most = min(most, sc.limit)
		}
		p, err := sc.ask(ctx, sc.last, most)
		if err != nil {
			return nil, err
		}
		if len(sc.pages) == 0 || p.version == sc.version {
			sc.took(p)
			return p.pairs, nil
		}
		if sc.version, err = sc.reread(ctx); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: the partition changes too often to be read as a whole", kv.ErrUnavailable)
}

func (sc *scan) took(p page) {
	n := len(p.pairs) / 2
	sc.version = p.version
	sc.pages = append(sc.pages, seen{n, sc.sum(p.pairs)})
	if n > 0 {
		sc.last = p.pairs[len(p.pairs)-2]
	}
	sc.limit -= n
	sc.end = !p.more || n == 0 || sc.r.Limit > 0 && sc.limit <= 0
}

// reread compares the pages delivered with what is there now, and returns the
// version that they are all of.
func (sc *scan) reread(ctx context.Context) (string, error) {
	version, last := "", ""
	for i, old := range sc.pages {
		p, err := sc.ask(ctx, last, old.entries)
		if err != nil {
			return "", err
		}
		if i > 0 && p.version != version {
			return "", nil // changed again; no version is empty, so next begins anew
		}
		version = p.version
		if len(p.pairs) != 2*old.entries || sc.sum(p.pairs) != old.sum {
			return "", fmt.Errorf("%w: what was scanned has changed since", kv.ErrUnavailable)
		}
		last = p.pairs[len(p.pairs)-2]
	}
	return version, nil
}

func (sc *scan) sum(pairs []string) uint64 {
	var h maphash.Hash
	h.SetSeed(sc.seed)
	for _, s := range pairs {
		_, _ = h.WriteString(strconv.Itoa(len(s))) // it never fails
		_ = h.WriteByte(0)
		_, _ = h.WriteString(s)
	}
	return h.Sum64()
}

// bounds are those of the range behind a key, as ZRANGEBYLEX takes them.
func (sc *scan) bounds(last string) (dir, from, to string) {
	low, high := "-", "+"
	if len(sc.r.From) > 0 {
		low = "[" + string(sc.r.From)
	}
	if sc.r.To != nil {
		high = "(" + string(sc.r.To)
	}
	if sc.r.Reverse {
		if last != "" {
			high = "(" + last
		}
		return "b", high, low
	}
	if last != "" {
		low = "(" + last
	}
	return "f", low, high
}

func (sc *scan) ask(ctx context.Context, last string, most int) (p page, err error) {
	dir, from, to := sc.bounds(last)
	err = sc.store.patiently(ctx, func() error {
		// The go-redis cluster client finds the server by the first key.
		cmd := scanScript.Run(ctx, sc.store.client, sc.keys, dir, from, to, most, sc.store.opt.pageBytes)
		p, err = readPage(cmd)
		return err
	})
	for _, s := range p.pairs {
		sc.store.read.Add(int64(len(s)))
	}
	return p, err
}

func readPage(cmd *redis.Cmd) (page, error) {
	out, err := cmd.StringSlice()
	if err != nil {
		return page{}, err
	}
	if len(out) < 2 || len(out)%2 != 0 {
		return page{}, fmt.Errorf("%w: a scan answers with %d strings", kv.ErrCorrupt, len(out))
	}
	return page{version: out[0], more: out[1] == "1", pairs: out[2:]}, nil
}
