package vfs

import (
	"fmt"
	"io"
	"sync/atomic"
)

// Kind is what an operation does.
type Kind uint8

// The kinds of operations that Faulty asks about.
const (
	OpCreate Kind = iota
	OpOpen
	OpRemove
	OpRename
	OpMkdir
	OpList
	OpSyncDir
	OpLock
	OpRead
	OpWrite
	OpTruncate
	OpPreallocate
	OpSync // Sync and Datasync
)

// Op is an operation about to begin. N counts from 0 over the whole FS.
type Op struct {
	N    int64
	Kind Kind
	Name string
	Off  int64 // of a read or write; the size of a truncation or preallocation
	Data []byte
}

// Effect says how much of an operation takes place.
type Effect uint8

// Effects of a Fault. Only writes can be short, flipped or misdirected.
const (
	Whole     Effect = iota // all of it
	Nothing                 // none of it
	Short                   // the first At bytes of the write
	Flipped                 // with the bit At (mod its bits) inverted
	Misplaced               // At bytes away from where it belongs
)

// Fault is the answer to an Op; the zero value lets it pass. With Err the
// caller is told of a failure, whatever took place; without it, of success.
// So {Nothing, err} fails before the effect, {Whole, err} after it, and
// {Nothing, nil} is a disk that lies.
type Fault struct {
	Effect Effect
	At     int64
	Err    error
}

// Faulty passes operations to fs as decide says. decide is called from
// whatever goroutines use the FS. Reads know Whole and Nothing only.
func Faulty(fs FS, decide func(op Op) Fault) FS {
	return &faultyFS{fs: fs, decide: decide}
}

type faultyFS struct {
	fs     FS
	decide func(Op) Fault
	n      atomic.Int64
}

func (f *faultyFS) ask(op Op) Fault {
	op.N = f.n.Add(1) - 1
	return f.decide(op)
}

// run is an operation that happens or does not.
func (f *faultyFS) run(op Op, do func() error) error {
	fault := f.ask(op)
	if fault.Effect != Nothing {
		if err := do(); err != nil {
			return err
		}
	}
	return fault.Err
}

func (f *faultyFS) open(op Op, do func() (File, error)) (File, error) {
	fault := f.ask(op)
	if fault.Effect == Nothing {
		if fault.Err == nil {
			fault.Err = fmt.Errorf("vfs: no file to give for %s", op.Name)
		}
		return nil, fault.Err
	}
	file, err := do()
	if err != nil {
		return nil, err
	}
	if fault.Err != nil {
		_ = file.Close()
		return nil, fault.Err
	}
	return &faultyFile{fs: f, file: file, name: op.Name}, nil
}

func (f *faultyFS) Create(name string) (File, error) {
	return f.open(Op{Kind: OpCreate, Name: name}, func() (File, error) { return f.fs.Create(name) })
}

func (f *faultyFS) Open(name string) (File, error) {
	return f.open(Op{Kind: OpOpen, Name: name}, func() (File, error) { return f.fs.Open(name) })
}

func (f *faultyFS) Remove(name string) error {
	return f.run(Op{Kind: OpRemove, Name: name}, func() error { return f.fs.Remove(name) })
}

func (f *faultyFS) Rename(oldname, newname string) error {
	return f.run(Op{Kind: OpRename, Name: newname}, func() error { return f.fs.Rename(oldname, newname) })
}

func (f *faultyFS) MkdirAll(dir string) error {
	return f.run(Op{Kind: OpMkdir, Name: dir}, func() error { return f.fs.MkdirAll(dir) })
}

func (f *faultyFS) List(dir string) (names []string, err error) {
	err = f.run(Op{Kind: OpList, Name: dir}, func() error {
		names, err = f.fs.List(dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}

func (f *faultyFS) SyncDir(dir string) error {
	return f.run(Op{Kind: OpSyncDir, Name: dir}, func() error { return f.fs.SyncDir(dir) })
}

func (f *faultyFS) Lock(name string) (c io.Closer, err error) {
	fault := f.ask(Op{Kind: OpLock, Name: name})
	if fault.Err != nil {
		return nil, fault.Err
	}
	return f.fs.Lock(name)
}

type faultyFile struct {
	fs   *faultyFS
	file File
	name string
}

func (f *faultyFile) ReadAt(p []byte, off int64) (n int, err error) {
	fault := f.fs.ask(Op{Kind: OpRead, Name: f.name, Off: off, Data: p})
	if fault.Err != nil {
		return 0, fault.Err
	}
	return f.file.ReadAt(p, off)
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	fault := f.fs.ask(Op{Kind: OpWrite, Name: f.name, Off: off, Data: p})
	data, at := p, off
	switch fault.Effect {
	case Nothing:
		data = nil
	case Short:
		data = p[:min(max(fault.At, 0), int64(len(p)))]
	case Flipped:
		data = append([]byte(nil), p...)
		if bit := fault.At % int64(8*max(len(p), 1)); len(p) > 0 {
			data[bit/8] ^= 1 << (bit % 8)
		}
	case Misplaced:
		at = max(off+fault.At, 0)
	}
	if len(data) > 0 {
		if n, err := f.file.WriteAt(data, at); err != nil {
			return n, err
		}
	}
	if fault.Err != nil {
		return len(data), fault.Err
	}
	return len(p), nil
}

func (f *faultyFile) Close() error         { return f.file.Close() }
func (f *faultyFile) Size() (int64, error) { return f.file.Size() }

func (f *faultyFile) Truncate(size int64) error {
	return f.fs.run(Op{Kind: OpTruncate, Name: f.name, Off: size}, func() error { return f.file.Truncate(size) })
}

func (f *faultyFile) Preallocate(size int64) error {
	return f.fs.run(Op{Kind: OpPreallocate, Name: f.name, Off: size}, func() error { return f.file.Preallocate(size) })
}

func (f *faultyFile) Sync() error {
	return f.fs.run(Op{Kind: OpSync, Name: f.name}, f.file.Sync)
}

func (f *faultyFile) Datasync() error {
	return f.fs.run(Op{Kind: OpSync, Name: f.name}, f.file.Datasync)
}
