// Package bench is the load generator behind `merchantim bench`: it starts the
// real server as a child process, loads it over real sockets with the public
// protocol, and prints figures against the bars they must hold.
//
// What it promises. The server under test is the shipped binary with shipped
// settings in a process of its own; the generator is this process. Latency is
// counted from the moment at which a message was meant to be sent, so a server
// that stalls cannot hide it by stalling the generator too. CPU is counted
// until every consumer of the server has drained. While it measures, the
// generator checks what it is told: each message delivered exactly once, in
// order, with its own text, every index following the one before. A window
// disturbed by other guests of the machine (steal) is measured again. The
// ceiling (`echo`) is loaded by the same code, byte for byte.
//
// What it refuses. It is not a client library: it knows just the frames that
// it needs, never reconnects (a closed link is a failed run), and gathers
// nothing (but for overload): one frame is one WebSocket message, one WebSocket
// message is one write. It does not run on a file system in memory, where a sync costs
// nothing. It reads /proc, so it measures on Linux only.
package bench
