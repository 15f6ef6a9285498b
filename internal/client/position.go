package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Position is a place in a user's inbox: everything up to Index was taken.
// Index means nothing under another Epoch.
type Position struct {
	Epoch string `json:"epoch"`
	Index uint64 `json:"index"`
}

// Positions keeps the place in the inbox of one user on one device.
type Positions interface {
	// Load returns the position kept, the zero one if there is none.
	Load() (Position, error)
	Save(Position) error
}

// MemoryPositions keeps the position as long as the process lives. The zero
// value is ready.
type MemoryPositions struct {
	mu sync.Mutex
	p  Position
}

// Load implements Positions.
func (m *MemoryPositions) Load() (Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.p, nil
}

// Save implements Positions.
func (m *MemoryPositions) Save(p Position) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.p = p
	return nil
}

// FilePositions keeps the position in a file of this name, replaced as a whole
// at each Save. After a loss of power the file may be older: messages come again.
type FilePositions string

// Load implements Positions.
func (f FilePositions) Load() (p Position, err error) {
	content, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("client: reading the position: %w", err)
	}
	if err := json.Unmarshal(content, &p); err != nil {
		return Position{}, fmt.Errorf("client: the position in %s: %w", string(f), err)
	}
	return p, nil
}

// Save implements Positions.
func (f FilePositions) Save(p Position) error {
	content, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	next, err := os.CreateTemp(filepath.Dir(string(f)), filepath.Base(string(f))+".*")
	if err != nil {
		return fmt.Errorf("client: keeping the position: %w", err)
	}
	_, err = next.Write(append(content, '\n'))
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), string(f))
	}
	if err != nil {
		return fmt.Errorf("client: keeping the position: %w", errors.Join(err, os.Remove(next.Name())))
	}
	return nil
}
