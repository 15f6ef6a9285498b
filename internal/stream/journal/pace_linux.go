package journal

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// pause waits for d. The runtime's timers are as coarse as its poller, about a
// millisecond; below that the kernel's timer is asked, at the price of a thread
// asleep.
func pause(d time.Duration) {
	if d <= 0 {
		return
	}
	if d > 2*time.Millisecond {
		time.Sleep(d)
		return
	}
	ts := unix.NsecToTimespec(int64(d))
	for errors.Is(unix.Nanosleep(&ts, &ts), unix.EINTR) {
	}
}
