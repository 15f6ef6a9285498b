package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// home is this folder, from the root of the module.
const home = "internal/sim/mutations"

// mutation is one patch with its head.
type mutation struct {
	name   string
	breaks string
	rule   string
	tests  [][]string // arguments of go test, each expected to fail
	hunks  []hunk
}

// hunk is one place that changes.
type hunk struct {
	file     string // from the root of the module
	old, new string
}

// load reads all patches, by name.
func load(folder string) ([]*mutation, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.patch"))
	if err != nil {
		return nil, err
	}
	var all []*mutation
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		m, err := read(strings.TrimSuffix(filepath.Base(path), ".patch"), text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, m)
	}
	return all, nil
}

// read reads a patch: a head of "word: text" lines, an empty line, a unified diff.
func read(name string, text []byte) (*mutation, error) {
	m := &mutation{name: name}
	head, diff, _ := bytes.Cut(text, []byte("\n\n"))
	for line := range strings.Lines(string(head)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch word {
		case "breaks":
			m.breaks = rest
		case "rule":
			m.rule = rest
		case "caught":
			m.tests = append(m.tests, strings.Fields(strings.ReplaceAll(rest, "'", "")))
		default:
			return nil, fmt.Errorf("the head has a line that is not known: %s", line)
		}
	}
	if m.breaks == "" || m.rule == "" || len(m.tests) == 0 {
		return nil, errors.New("the head does not say breaks, rule and caught")
	}
	err := m.readDiff(diff)
	return m, err
}

func (m *mutation) readDiff(diff []byte) error {
	file := ""
	lines := bufio.NewScanner(bytes.NewReader(diff))
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "--- a/"):
			file = strings.TrimPrefix(line, "--- a/")
			continue
		case strings.HasPrefix(line, "+++ "):
			continue
		case strings.HasPrefix(line, "@@"):
			m.hunks = append(m.hunks, hunk{file: file})
			continue
		}
		if line == "" {
			line = " " // an editor took the blank of an empty line away
		}
		if len(m.hunks) == 0 || line[0] != ' ' && line[0] != '-' && line[0] != '+' {
			return fmt.Errorf("a line is of no diff: %s", line)
		}
		h := &m.hunks[len(m.hunks)-1]
		if line[0] != '+' {
			h.old += line[1:] + "\n"
		}
		if line[0] != '-' {
			h.new += line[1:] + "\n"
		}
	}
	if len(m.hunks) == 0 {
		return errors.New("there is no diff")
	}
	return lines.Err()
}

// apply returns what the changed files become. A place is found by its lines,
// wherever they have moved to; it must be there once.
func (m *mutation) apply(open func(name string) ([]byte, error)) (map[string][]byte, error) {
	changed := make(map[string][]byte)
	for i, h := range m.hunks {
		text, ok := changed[h.file]
		if !ok {
			var err error
			if text, err = open(h.file); err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
		}
		whole := append([]byte("\n"), text...) // every line has one before it
		old := []byte("\n" + h.old)
		if n := count(whole, old); n != 1 || h.old == h.new {
			return nil, fmt.Errorf("%s: change %d is found %d times in %s: the patch must be made anew", m.name, i+1, n, h.file)
		}
		changed[h.file] = bytes.Replace(whole, old, []byte("\n"+h.new), 1)[1:]
	}
	return changed, nil
}

// count counts, unlike bytes.Count, also places that share a line's end.
func count(text, part []byte) (n int) {
	for {
		i := bytes.Index(text, part)
		if i < 0 {
			return n
		}
		n++
		text = text[i+1:]
	}
}
