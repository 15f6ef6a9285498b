package leveldb

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// currentName is the file that names the manifest in force.
const currentName = "CURRENT"

// GetMeta implements storage.Storage.
func (d *disk) GetMeta() (storage.FileDesc, error) {
	f, err := d.fs.Open(path.Join(d.dir, currentName))
	if errors.Is(err, fs.ErrNotExist) {
		return storage.FileDesc{}, os.ErrNotExist
	}
	if err != nil {
		return storage.FileDesc{}, err
	}
	content := make([]byte, 64)
	n, err := f.ReadAt(content, 0)
	if cerr := f.Close(); err == io.EOF {
		err = cerr
	}
	if err != nil {
		return storage.FileDesc{}, err
	}
	name, whole := strings.CutSuffix(string(content[:n]), "\n")
	fd, ok := parseName(name)
	if !whole || !ok || fd.Type != storage.TypeManifest {
		return storage.FileDesc{}, &storage.ErrCorrupted{Err: errors.New("CURRENT names no manifest")}
	}
	d.meta.Lock()
	defer d.meta.Unlock()
	d.meta.current = map[int64]bool{fd.Num: true}
	return fd, nil
}

// SetMeta implements storage.Storage.
func (d *disk) SetMeta(fd storage.FileDesc) error {
	if err := d.setMeta(fd); err != nil {
		d.broken.Store(true)
		return err
	}
	return nil
}

func (d *disk) setMeta(fd storage.FileDesc) error {
	current := path.Join(d.dir, currentName)
	if err := d.writeFile(current+".new", []byte(fd.String()+"\n")); err != nil {
		return err
	}
	d.meta.Lock()
	defer d.meta.Unlock()
	if d.meta.current == nil {
		d.meta.current = map[int64]bool{}
	}
	d.meta.current[fd.Num] = true // from here on a crash may leave either
	if err := d.fs.Rename(current+".new", current); err != nil {
		return err
	}
	if err := d.fs.SyncDir(d.dir); err != nil {
		return err
	}
	d.meta.current = map[int64]bool{fd.Num: true}
	return nil
}
