package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"sort"
	"sync"
	"syscall"
)

// ErrCrashed: the machine under this file system has lost its power.
var ErrCrashed = errors.New("vfs: crashed")

// Mem is a file system in memory that knows what a loss of power would leave.
// Content is durable after Sync or Datasync of its file, names after SyncDir of
// their folder. Folders themselves are durable at once.
type Mem struct {
	mu      sync.Mutex
	crashed bool
	dirs    map[string]*memDir
	locks   map[string]bool
	// limit is the most bytes that files may hold together, 0 for no limit.
	limit int64
	used  int64
}

// memDir is a folder: its names as seen now, and what the disk knows of them.
type memDir struct {
	names   map[string]*inode
	durable map[string]*inode
	pending []nameOp // not yet synced, oldest first
}

// nameOp gives a name to a file, or, with no file, takes the name away. A
// rename is one op with both, so that it is atomic.
type nameOp struct {
	set    string
	node   *inode
	remove string
}

// NewMem returns an empty file system with the folders "/" and ".".
func NewMem() *Mem {
	m := &Mem{dirs: map[string]*memDir{}, locks: map[string]bool{}}
	m.dirs["/"] = newMemDir()
	m.dirs["."] = newMemDir()
	return m
}

func newMemDir() *memDir {
	return &memDir{names: map[string]*inode{}, durable: map[string]*inode{}}
}

// SetLimit makes the disk n bytes large (0: unlimited). What would grow beyond
// it fails with ENOSPC.
func (m *Mem) SetLimit(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limit = n
}

// Crash cuts the power: every later call on m and its files fails with
// ErrCrashed. It returns the disk as the next start finds it: all that was
// synced, and of the rest whatever rng picks, name by name and sector by
// sector, in any order.
func (m *Mem) Crash(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crashed = true
	next := NewMem()
	next.limit = m.limit
	seen := map[*inode]*inode{}
	for _, dir := range sortedKeys(m.dirs) {
		d := m.dirs[dir]
		left := newMemDir()
		survivors := d.survivors(rng)
		for _, name := range sortedKeys(survivors) {
			old := survivors[name]
			if seen[old] == nil {
				seen[old] = old.afterCrash(next, rng)
				next.used += int64(len(seen[old].data))
			}
			left.names[name], left.durable[name] = seen[old], seen[old]
		}
		next.dirs[dir] = left
	}
	return next
}

func (d *memDir) survivors(rng *rand.Rand) map[string]*inode {
	names := make(map[string]*inode, len(d.durable))
	for n, i := range d.durable {
		names[n] = i
	}
	for _, op := range d.pending {
		if rng.IntN(2) == 0 {
			op.apply(names)
		}
	}
	return names
}

func (op nameOp) apply(names map[string]*inode) {
	if op.remove != "" {
		delete(names, op.remove)
	}
	if op.node != nil {
		names[op.set] = op.node
	}
}

func (d *memDir) do(op nameOp) {
	op.apply(d.names)
	d.pending = append(d.pending, op)
}

// dir finds the folder of a path; m.mu is held.
func (m *Mem) dir(name string) (*memDir, string, error) {
	if m.crashed {
		return nil, "", ErrCrashed
	}
	name = path.Clean(name)
	d := m.dirs[path.Dir(name)]
	if d == nil {
		return nil, "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return d, path.Base(name), nil
}

// Create implements FS.
func (m *Mem) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, base, err := m.dir(name)
	if err != nil {
		return nil, err
	}
	if node := d.names[base]; node != nil {
		return &memFile{node: node}, node.resize(0)
	}
	node := &inode{fs: m}
	d.do(nameOp{set: base, node: node})
	return &memFile{node: node}, nil
}

// Open implements FS.
func (m *Mem) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, base, err := m.dir(name)
	if err != nil {
		return nil, err
	}
	node := d.names[base]
	if node == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memFile{node: node}, nil
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, base, err := m.dir(name)
	if err != nil {
		return err
	}
	node := d.names[base]
	if node == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	d.do(nameOp{remove: base})
	m.used -= int64(len(node.data))
	node.unlinked = true
	return nil
}

// Rename implements FS; both names must be in one folder.
func (m *Mem) Rename(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, from, err := m.dir(oldname)
	if err != nil {
		return err
	}
	to, dst, err := m.dir(newname)
	if err != nil {
		return err
	}
	node := d.names[from]
	switch {
	case node == nil:
		return &fs.PathError{Op: "rename", Path: oldname, Err: fs.ErrNotExist}
	case to != d:
		return fmt.Errorf("rename %s to another folder: %w", oldname, errors.ErrUnsupported)
	case from == dst:
		return nil
	}
	if over := d.names[dst]; over != nil && over != node {
		m.used -= int64(len(over.data))
		over.unlinked = true
	}
	d.do(nameOp{remove: from, set: dst, node: node})
	return nil
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.crashed {
		return ErrCrashed
	}
	for dir = path.Clean(dir); m.dirs[dir] == nil; dir = path.Dir(dir) {
		m.dirs[dir] = newMemDir()
	}
	return nil
}

// List implements FS; it names files, not folders.
func (m *Mem) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, _, err := m.dir(path.Join(dir, "x"))
	if err != nil {
		return nil, err
	}
	return sortedKeys(d.names), nil
}

// SyncDir implements FS.
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, _, err := m.dir(path.Join(dir, "x"))
	if err != nil {
		return err
	}
	for _, op := range d.pending {
		op.apply(d.durable)
	}
	d.pending = nil
	return nil
}

// Lock implements FS.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, _, err := m.dir(name); err != nil {
		return nil, err
	}
	name = path.Clean(name)
	if m.locks[name] {
		return nil, fmt.Errorf("%w: %s", ErrLocked, name)
	}
	m.locks[name] = true
	return &memLock{m: m, name: name}, nil
}

type memLock struct {
	m    *Mem
	name string
	once sync.Once
}

func (l *memLock) Close() error {
	l.once.Do(func() {
		l.m.mu.Lock()
		defer l.m.mu.Unlock()
		delete(l.m.locks, l.name)
	})
	return nil
}

// reserve accounts for growth; m.mu is held.
func (m *Mem) reserve(n int64) error {
	if m.limit > 0 && n > 0 && m.used+n > m.limit {
		return syscall.ENOSPC
	}
	m.used += n
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
