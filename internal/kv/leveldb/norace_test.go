//go:build !race

package leveldb

const raceDetector = false
