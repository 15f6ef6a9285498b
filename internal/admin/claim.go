package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	lockFile  = "serve.lock"
	portsFile = "ports.json"
)

// claimTries times claimWait is how long a new server waits for the lock: a
// command that looks whether one runs holds it for a moment.
const (
	claimTries = 20
	claimWait  = 25 * time.Millisecond
)

// ErrTaken: another server runs on the data folder.
var ErrTaken = errors.New("another server runs on this data folder")

// Ports are the addresses that a live server is bound to, host:port.
type Ports struct {
	Listen string `json:"listen"`
	Admin  string `json:"admin"`
}

// Write puts p into a file, whole or not at all.
func (p Ports) Write(path string) (err error) {
	content, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".ports-*")
	if err != nil {
		return fmt.Errorf("admin: writing %s: %w", path, err)
	}
	_, err = f.Write(append(content, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("admin: writing %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}

// ReadPorts reads what Write wrote.
func ReadPorts(path string) (Ports, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Ports{}, fmt.Errorf("admin: %w", err)
	}
	var p Ports
	if err := json.Unmarshal(content, &p); err != nil {
		return Ports{}, fmt.Errorf("admin: %s: %w", path, err)
	}
	return p, nil
}

// Claim is a server's hold on its data folder. The system ends it with the
// process, however that ends, so that a port written down by a server that was
// killed is never taken for a live one, and no key sent to whoever has it now.
type Claim struct {
	data string
	lock *os.File
}

// ClaimData makes the data folder (mode 0700) if need be and claims it.
// ErrTaken if another process has it.
func ClaimData(data string) (*Claim, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(data, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	err = flock(lock, syscall.LOCK_EX)
	for i := 0; i < claimTries && errors.Is(err, syscall.EWOULDBLOCK); i++ {
		time.Sleep(claimWait)
		err = flock(lock, syscall.LOCK_EX)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%w (%s)", ErrTaken, data)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	c := &Claim{data: data, lock: lock}
	if err := c.withdraw(); err != nil { // what a killed server announced
		return nil, errors.Join(err, lock.Close())
	}
	return c, nil
}

// Announce writes DATA/ports.json, by which Find finds the server.
func (c *Claim) Announce(p Ports) error { return p.Write(filepath.Join(c.data, portsFile)) }

// Close withdraws the announcement and gives the folder free.
func (c *Claim) Close() error { return errors.Join(c.withdraw(), c.lock.Close()) }

func (c *Claim) withdraw() error {
	err := os.Remove(filepath.Join(c.data, portsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// claimed reports whether a live process has the data folder.
func claimed(data string) (held bool, err error) {
	lock, err := os.Open(filepath.Join(data, lockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("admin: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	err = flock(lock, syscall.LOCK_SH)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
