package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/enc"
	"github.com/merchantim/merchantim/internal/kv"
)

// Store is the stored state of all domains.
type Store struct {
	Chains  *Chains
	Inboxes *Inboxes
	Users   *Users

	kv    kv.Store
	bytes atomic.Int64 // pending, both generations

	// floor are the positions that Floor visited, and then those that the Writer
	// has frozen: whose effects are in the store or will be.
	floor map[place]domain.Position

	mu          sync.Mutex
	epoch       string
	incarnation uint32
}

var (
	keySeed  = []byte("seed")
	keyEpoch = []byte("epoch")
)

// Open takes up the state in s, and makes what a first start needs.
func Open(ctx context.Context, s kv.Store) (*Store, error) {
	st := &Store{kv: s, floor: make(map[place]domain.Position)}
	var seed chat.Seed
	value, err := s.Get(ctx, systemPartition, keySeed)
	switch {
	case errors.Is(err, kv.ErrNotFound):
		if _, err = rand.Read(seed[:]); err != nil {
			return nil, fmt.Errorf("store: seed: %w", err)
		}
		err = st.putSystem(ctx, kv.Op{Key: keySeed, Value: seed[:]})
	case err == nil && len(value) != len(seed):
		err = fmt.Errorf("store: seed: %w", enc.ErrMalformed)
	default:
		copy(seed[:], value)
	}
	if err != nil {
		return nil, err
	}
	st.Chains = newChains(s, seed, &st.bytes)
	st.Inboxes = newInboxes(s, &st.bytes)
	st.Users = newUsers(s)
	if err := st.loadEpoch(ctx); err != nil {
		return nil, err
	}
	return st, nil
}

func (s *Store) putSystem(ctx context.Context, ops ...kv.Op) error {
	if err := errors.Join(s.kv.Apply(ctx, []kv.Batch{{Partition: systemPartition, Ops: ops}})...); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := s.kv.Checkpoint(ctx); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (s *Store) loadEpoch(ctx context.Context) error {
	value, err := s.kv.Get(ctx, systemPartition, keyEpoch)
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: epoch: %w", err)
	}
	r := enc.Read(value)
	s.incarnation = r.U32()
	s.epoch = hex.EncodeToString(r.Take(8))
	return r.Done()
}

// Settle compares the log's incarnation with the one that the numbering was
// made in. If the log began anew, entries that it alone had are lost, and the
// numbering gets a new epoch.
func (s *Store) Settle(ctx context.Context, incarnation uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != "" && s.incarnation == incarnation {
		return nil
	}
	fresh := make([]byte, 8)
	if _, err := rand.Read(fresh); err != nil {
		return fmt.Errorf("store: epoch: %w", err)
	}
	if err := s.putSystem(ctx, kv.Op{Key: keyEpoch, Value: append(enc.U32(nil, incarnation), fresh...)}); err != nil {
		return err
	}
	s.incarnation, s.epoch = incarnation, hex.EncodeToString(fresh)
	return nil
}

// Epoch names the numbering of all chains.
func (s *Store) Epoch() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch
}

// PendingBytes are answered and not yet written, about.
func (s *Store) PendingBytes() int64 { return s.bytes.Load() }

// place is a partition of a topic of the log.
type place struct {
	topic     uint8
	partition int32
}

// Floor visits the position, one past the last, up to which the effects of
// each partition of each topic were written. To be called before the Writer runs.
func (s *Store) Floor(ctx context.Context, fn func(topic uint8, partition int32, next domain.Position)) error {
	prefix := []byte{'o'}
	err := s.kv.Scan(ctx, systemPartition, kv.Range{From: prefix, To: after(prefix)}, func(key, value []byte) error {
		k := enc.Read(key[1:])
		topic, partition := k.Byte(), int32(k.U32())
		r, err := open(value, "position")
		if err != nil {
			return err
		}
		next := readPosition(&r)
		if err := errors.Join(k.Done(), r.Done()); err != nil {
			return err
		}
		s.floor[place{topic, partition}] = next
		fn(topic, partition, next)
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: positions: %w", err)
	}
	return nil
}

func positionOp(topic uint8, partition int32, next domain.Position) kv.Op {
	return kv.Op{Key: enc.U32([]byte{'o', topic}, uint32(partition)), Value: appendPosition([]byte{layout}, next)}
}

// Incarnation is the log's incarnation that the numbering was made in.
func (s *Store) Incarnation() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.incarnation
}
