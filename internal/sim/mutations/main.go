// Command mutations proves the tests: it breaks the program on purpose, one
// defect at a time, and looks whether anything notices.
//
// Each patch beside this file is a defect that a tired engineer would make, a
// few lines long, with a head that says what it breaks, which rule of the
// design that is, and which tests are expected to catch it. One after the other
// is put into a copy of the tree, built, and tested with those; the first test
// that fails has caught it. The table of which caught which is in README.md.
//
// It promises to leave the tree as it is: all happens in a temporary copy. It
// refuses a patch that does not apply, or whose result does not build: neither
// proves anything. A test of this package keeps the patches applicable.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

type options struct {
	root    string
	name    *regexp.Regexp
	sample  int
	seed    string
	within  time.Duration
	timeout time.Duration
	seeds   int
	write   bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutations:", err)
		os.Exit(1)
	}
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("mutations", flag.ContinueOnError)
	f.StringVar(&o.root, "root", ".", "the root of the module")
	name := f.String("name", "", "run only those whose name matches this expression")
	f.IntVar(&o.sample, "sample", 0, "run only so many, chosen by -seed; 0: all")
	f.StringVar(&o.seed, "seed", time.Now().UTC().Format(time.DateOnly), "what a sample is chosen by")
	f.DurationVar(&o.within, "within", 0, "begin no other one after this time; 0: no limit")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "how long one test of one mutation may take; longer is caught, too")
	f.IntVar(&o.seeds, "seeds", 0, "histories that the simulation tries, where there is one; 0: it is not asked")
	f.BoolVar(&o.write, "write", false, "bring the table in README.md up to date")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.name, err = regexp.Compile(*name)
	return o, err
}

var errNotCaught = errors.New("nothing caught")

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	folder := filepath.Join(o.root, home)
	all, err := load(folder)
	if err != nil {
		return err
	}
	chosen := o.choose(all)
	if len(chosen) == 0 {
		return fmt.Errorf("there is no mutation of that name: %s", o.name)
	}
	t, err := copyTree(ctx, o.root)
	if err != nil {
		return err
	}
	defer t.remove()
	results, err := t.tryAll(ctx, chosen, &o, out)
	if o.write {
		err = errors.Join(err, update(filepath.Join(folder, "README.md"), all, results))
	}
	return err
}

// tryAll goes on after one that is not caught or proves nothing, and returns an
// error in the end.
func (t *tree) tryAll(ctx context.Context, chosen []*mutation, o *options, out io.Writer) (results []result, err error) {
	begun := time.Now()
	for i, m := range chosen {
		if i > 0 && o.within > 0 && time.Since(begun) > o.within {
			fmt.Fprintf(out, "no time for the other %d\n", len(chosen)-i)
			break
		}
		r, failure := t.try(ctx, m, o)
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		if failure != nil {
			err = errors.Join(err, failure)
			fmt.Fprintln(out, failure)
			continue
		}
		results = append(results, r)
		fmt.Fprintln(out, r.row())
		if !r.caught() {
			err = errors.Join(err, fmt.Errorf("%w: %s", errNotCaught, m.name))
		}
	}
	return results, err
}

// choose takes those of the name, or a sample of them: the same for a seed.
func (o *options) choose(all []*mutation) (chosen []*mutation) {
	for _, m := range all {
		if o.name.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	if o.sample == 0 || o.sample >= len(chosen) {
		return chosen
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, o.seed)
	rng := rand.New(rand.NewPCG(h.Sum64(), 0))
	rng.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return chosen[:o.sample]
}
