//go:build race

package leveldb

// With a failing disk goleveldb closes a channel that its compaction may be
// about to send on. It recovers from that, and no data is shared, but the race
// detector does not know: stories of failing disks are told without it.
const raceDetector = true
