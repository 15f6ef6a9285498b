package kv

import "fmt"

// CheckKey returns ErrTooLarge if the name of a partition or a key is empty or
// over its limit. Engines share it, so that all refuse the same.
func CheckKey(partition, key []byte) error {
	if err := CheckPartition(partition); err != nil {
		return err
	}
	if len(key) < 1 || len(key) > MaxKey {
		return fmt.Errorf("%w: a key of %d bytes, 1 to %d are allowed", ErrTooLarge, len(key), MaxKey)
	}
	return nil
}

// CheckPartition returns ErrTooLarge if the name is empty or over its limit.
func CheckPartition(partition []byte) error {
	if len(partition) < 1 || len(partition) > MaxPartition {
		return fmt.Errorf("%w: a partition's name of %d bytes, 1 to %d are allowed", ErrTooLarge, len(partition), MaxPartition)
	}
	return nil
}

// Check returns ErrTooLarge if the batch is over any limit.
func (b *Batch) Check() error {
	if err := CheckPartition(b.Partition); err != nil {
		return err
	}
	if n := len(b.If) + len(b.Ops); n > MaxBatchOps {
		return fmt.Errorf("%w: a batch of %d operations and conditions, %d are allowed", ErrTooLarge, n, MaxBatchOps)
	}
	size := len(b.Partition)
	for i := range b.If {
		if err := checkPair(b.If[i].Key, b.If[i].Value); err != nil {
			return err
		}
		size += len(b.If[i].Key) + len(b.If[i].Value)
	}
	for i := range b.Ops {
		if err := checkPair(b.Ops[i].Key, b.Ops[i].Value); err != nil {
			return err
		}
		size += len(b.Ops[i].Key) + len(b.Ops[i].Value)
	}
	if size > MaxBatch {
		return fmt.Errorf("%w: a batch of %d bytes, %d are allowed", ErrTooLarge, size, MaxBatch)
	}
	return nil
}

func checkPair(key, value []byte) error {
	if len(key) < 1 || len(key) > MaxKey {
		return fmt.Errorf("%w: a key of %d bytes, 1 to %d are allowed", ErrTooLarge, len(key), MaxKey)
	}
	if len(value) > MaxValue {
		return fmt.Errorf("%w: a value of %d bytes, %d are allowed", ErrTooLarge, len(value), MaxValue)
	}
	return nil
}
