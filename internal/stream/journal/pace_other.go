//go:build !linux

package journal

import "time"

func pause(d time.Duration) { time.Sleep(d) }
