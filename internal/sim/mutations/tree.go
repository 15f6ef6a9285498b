package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// tree is a copy of the module. One mutation at a time is in it.
type tree struct{ root string }

// copyTree copies what git knows of, and what it would know of.
func copyTree(ctx context.Context, root string) (*tree, error) {
	list := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	to, err := os.MkdirTemp("", "mutations-")
	if err != nil {
		return nil, err
	}
	t := &tree{root: to}
	for name := range bytes.SplitSeq(bytes.TrimRight(names, "\x00"), []byte{0}) {
		text, err := os.ReadFile(filepath.Join(root, string(name)))
		if os.IsNotExist(err) { // deleted, and not yet said so to git
			continue
		}
		if err == nil {
			err = t.write(string(name), text)
		}
		if err != nil {
			t.remove()
			return nil, err
		}
	}
	return t, nil
}

func (t *tree) remove() { _ = os.RemoveAll(t.root) }

func (t *tree) open(name string) ([]byte, error) { return os.ReadFile(filepath.Join(t.root, name)) }

func (t *tree) write(name string, text []byte) error {
	path := filepath.Join(t.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// mutate puts a mutation in; restore takes it out again.
func (t *tree) mutate(m *mutation) (restore func() error, err error) {
	changed, err := m.apply(t.open)
	if err != nil {
		return nil, err
	}
	before := make(map[string][]byte)
	restore = func() error {
		for name, text := range before {
			if err := t.write(name, text); err != nil {
				return err
			}
		}
		return nil
	}
	for name, text := range changed {
		if before[name], err = t.open(name); err != nil {
			return nil, err
		}
		if err := t.write(name, text); err != nil {
			return nil, err
		}
	}
	return restore, nil
}
