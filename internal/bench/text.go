package bench

import (
	_ "embed"
	"math/rand/v2"
	"strings"
)

const (
	// textBytes is the size of every message's text.
	textBytes = 200
	// poolTexts is the number of different texts. It is much larger than any
	// window in which a compressor of the server looks for repetitions
	// (64 KB, some 300 texts), so repeated texts save it nothing.
	poolTexts = 1 << 15
)

//go:embed words.txt
var dictionary string

// textPool holds the texts that messages are made of: random words of a
// dictionary, since repeated letters would compress away. The text of a
// message follows from its conversation and number alone, so a retry sends the
// same text and a receiver can check it.
type textPool struct{ all []byte }

// newTextPool makes the pool of a seed; equal seeds give equal pools.
func newTextPool(seed uint64) *textPool {
	words := strings.Fields(dictionary)
	rng := rand.New(rand.NewPCG(seed, 1))
	all := make([]byte, 0, poolTexts*textBytes)
	for i := range poolTexts {
		end := (i + 1) * textBytes
		for len(all) < end {
			all = append(all, words[rng.IntN(len(words))]...)
			all = append(all, ' ')
		}
		all = all[:end]
		if all[end-1] == ' ' {
			all[end-1] = '.'
		}
	}
	return &textPool{all: all}
}

// of returns the text of message seq in the conversation with number conv. It
// is part of the pool and must not be changed.
func (p *textPool) of(conv, seq uint32) []byte {
	h := (uint64(conv)<<32 | uint64(seq)) * 0x9e3779b97f4a7c15
	i := int(h>>40) & (poolTexts - 1)
	return p.all[i*textBytes : (i+1)*textBytes]
}
