package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../../.."

func open(name string) ([]byte, error) { return os.ReadFile(filepath.Join(root, name)) }

func loadAll(t *testing.T) []*mutation {
	t.Helper()
	all, err := load(".")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A patch that does not apply proves nothing: whoever changes the code makes it
// anew, in the same commit.
func TestEveryPatchApplies(t *testing.T) {
	all := loadAll(t)
	if len(all) < 40 {
		t.Errorf("there are %d mutations only", len(all))
	}
	for _, m := range all {
		changed, err := m.apply(open)
		if err != nil {
			t.Error(err)
			continue
		}
		for name := range changed {
			if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				t.Errorf("%s changes %s, which is no part of the program", m.name, name)
			}
		}
		for _, args := range m.tests {
			tests, err := filepath.Glob(filepath.Join(root, args[0], "*_test.go"))
			if err != nil || len(tests) == 0 || len(args) < 3 || args[1] != "-run" {
				t.Errorf("%s is to be caught by go test %v, where there is no test: %v", m.name, args, err)
			}
		}
	}
}

// The table has every mutation, each was caught, and none is gone.
func TestTheTableIsWhole(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	table := rows(string(readme))
	for _, m := range loadAll(t) {
		row, ok := table[m.name]
		switch {
		case !ok:
			t.Errorf("the table lacks %s: make mutate NAME=^%s$", m.name, m.name)
		case strings.Contains(row, "**nothing**") && simOf(row) != caughtBySim:
			t.Errorf("nothing caught %s", m.name)
		}
		delete(table, m.name)
	}
	for name := range table {
		t.Errorf("the table has %s, of which there is no patch", name)
	}
}

const example = "breaks: a thing\nrule: M1\ncaught: ./x -run 'TestA|TestB'\ncaught: ./y -run .\n\n" +
	"--- a/x/x.go\n+++ b/x/x.go\n@@ -1,3 +1,2 @@\n one\n-two\n three\n@@ -9,2 +8,3 @@\n nine\n+and more\n ten\n"

func TestAPatchIsFoundWhereItsLinesAre(t *testing.T) {
	m, err := read("example", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"./x", "-run", "TestA|TestB"}, {"./y", "-run", "."}}, m.tests); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"zero\none\ntwo\nthree\n\nnine\nten\n":          "zero\none\nthree\n\nnine\nand more\nten\n",
		"one\ntwo\nthree\nnine\nten\n":                  "one\nthree\nnine\nand more\nten\n",
		"one\nthree\nnine\nten\n":                       "",
		"one\ntwo\nthree\nten\n":                        "",
		"one\ntwo\nthree\none\ntwo\nthree\nnine\nten\n": "",
	} {
		got, err := m.apply(func(string) ([]byte, error) { return []byte(text), nil })
		if want == "" != (err != nil) || string(got["x/x.go"]) != want {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}

func TestAPatchThatIsNoneIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "breaks: a thing\n\n" + example, strings.Replace(example, "rule: M1\n", "", 1),
		strings.Replace(example, "rule", "role", 1), strings.Replace(example, "@@ -1,3 +1,2 @@\n", "", 1),
		"breaks: a\nrule: b\ncaught: c\n\n", strings.Replace(example, " three", "three", 1),
	} {
		if m, err := read("x", []byte(text)); err == nil {
			t.Errorf("%q was read as %+v", text, m)
		}
	}
}

// A sample is the same for a seed, and another one for others.
func TestASampleFollowsItsSeed(t *testing.T) {
	all := loadAll(t)
	names := func(args ...string) (names []string) {
		o, err := parse(append([]string{"-sample", "4"}, args...))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range o.choose(all) {
			names = append(names, m.name)
		}
		return names
	}
	one := names("-seed", "a")
	if diff := cmp.Diff(one, names("-seed", "a")); diff != "" || len(one) != 4 {
		t.Errorf("%v: %s", one, diff)
	}
	if cmp.Equal(one, names("-seed", "b")) {
		t.Errorf("two seeds choose %v", one)
	}
	if few := names("-name", "^"+one[0]+"$"); len(few) != 1 || few[0] != one[0] {
		t.Errorf("of the name %s are %v", one[0], few)
	}
}

// What was not run again keeps its row; what the simulation said stays until it
// is asked again.
func TestTheTableIsUpdatedRowByRow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	a, b := &mutation{name: "a", breaks: "x", rule: "M1"}, &mutation{name: "b", breaks: "y", rule: "M2"}
	steps := []struct {
		all     []*mutation
		results []result
		want    map[string]string
	}{
		{[]*mutation{a, b}, []result{{mutation: a, by: "T", sim: caughtBySim}, {mutation: b}}, map[string]string{
			"a": "| a | x | M1 | T | 0.0 | caught |", "b": "| b | y | M2 | **nothing** | 0.0 |   |",
		}},
		{[]*mutation{a, b}, []result{{mutation: a, by: "U"}}, map[string]string{
			"a": "| a | x | M1 | U | 0.0 | caught |", "b": "| b | y | M2 | **nothing** | 0.0 |   |",
		}},
		{[]*mutation{b}, []result{{mutation: b, by: "V", sim: notBySim}}, map[string]string{
			"b": "| b | y | M2 | V | 0.0 | – |",
		}},
	}
	for i, s := range steps {
		if err := update(path, s.all, s.results); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.want, rows(string(text))); diff != "" {
			t.Errorf("step %d:\n%s", i, diff)
		}
	}
}

func TestTheReasonOfAFailure(t *testing.T) {
	for text, want := range map[string]string{
		"--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/b\nFAIL\n":                "TestA",
		"panic: test timed out after 1m\n\trunning tests:\n\t\tTestA (1m0s)\n": "TestA (no end)",
		"panic: boom\n\ngoroutine 1\n":                                         "(panic)",
		"PASS\ngoleak: found\nFAIL\n":                                          "(fails)",
		"exit status 2":                                                        "",
	} {
		got, err := reason(text)
		if got != want || want == "" != (err != nil) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
