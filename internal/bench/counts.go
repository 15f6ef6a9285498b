package bench

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
)

// fault is a breach of the protocol's promises that a generator can see.
type fault int

const (
	faultSkipped  fault = iota // a delivery whose predecessor had not come
	faultRepeated              // a delivery that came before, or behind a later one
	faultText                  // a delivery with another text
	faultIndex                 // index, pre or n that do not follow on
	faultInbox                 // an inbox entry that does not follow on
	faultAnswer                // an answer to nothing that waits for one
	faultFrame                 // a frame that cannot be read or is not expected
	faults
)

var faultNames = [faults]string{
	"skipped", "repeated", "wrong_text", "wrong_index", "inbox_gap", "stray_answer", "bad_frame",
}

// counts is what a load has seen so far. All of it may be used from any
// goroutine.
type counts struct {
	offered   atomic.Int64 // messages meant to be sent
	accepted  atomic.Int64 // answered with sent
	delivered atomic.Int64 // received by the other user
	own       atomic.Int64 // own entries received
	pongs     atomic.Int64 // answers to the last pings

	// pongsAhead counts pongs under load that name an entry not yet pushed.
	pongsAhead atomic.Int64

	// Latencies of the messages meant to be sent in the window.
	ack, delivery histogram

	faults [faults]atomic.Int64
	mu     sync.Mutex
	first  string           // the first fault, told in full
	codes  map[string]int64 // error frames by code
}

// fault counts a breach and keeps the first one's words.
func (c *counts) fault(f fault, format string, args ...any) {
	c.faults[f].Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == "" {
		c.first = faultNames[f] + ": " + fmt.Sprintf(format, args...)
	}
}

// refused counts an error frame.
func (c *counts) refused(code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.codes == nil {
		c.codes = make(map[string]int64)
	}
	if len(c.codes) < 32 || c.codes[code] > 0 {
		c.codes[code]++
	}
}

// errors returns the error frames by code.
func (c *counts) errors() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.codes)
}

// broken returns a product failure if any fault was seen.
func (c *counts) broken() error {
	total := int64(0)
	for f := range c.faults {
		total += c.faults[f].Load()
	}
	if total == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return product("%d breaches of the protocol, the first %s", total, c.first)
}
