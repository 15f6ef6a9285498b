package chat

// table maps fingerprints to indices below 2^32: open addressing, linear
// probing, at most three quarters full. Fingerprint 0 is not kept.
type table struct {
	slots []uint64 // fingerprint in the upper half, index in the lower; 0: free
	used  int
}

func (t *table) add(mark uint32, index uint64) {
	if mark == 0 {
		return
	}
	if 4*(t.used+1) > 3*len(t.slots) {
		t.grow()
	}
	t.put(uint64(mark)<<32 | index&0xffffffff)
	t.used++
}

func (t *table) put(slot uint64) {
	mask := len(t.slots) - 1
	i := int(slot>>32) & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = slot
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]uint64, max(8, 2*len(old)))
	for _, s := range old {
		if s != 0 {
			t.put(s)
		}
	}
}

// first returns the place of the first entry of a fingerprint, or -1.
func (t *table) first(mark uint32) int {
	if len(t.slots) == 0 || mark == 0 {
		return -1
	}
	return t.probe(mark, int(mark)&(len(t.slots)-1))
}

func (t *table) next(mark uint32, i int) int { return t.probe(mark, (i+1)&(len(t.slots)-1)) }

func (t *table) probe(mark uint32, i int) int {
	for mask := len(t.slots) - 1; t.slots[i] != 0; i = (i + 1) & mask {
		if t.slots[i]>>32 == uint64(mark) {
			return i
		}
	}
	return -1
}

func (t *table) index(i int) uint64 { return t.slots[i] & 0xffffffff }
