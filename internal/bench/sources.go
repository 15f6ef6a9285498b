package bench

import (
	"fmt"
	"net"
	"net/http"
	"sync"
)

// linksPerSource is how many links leave from one loopback address; a port of
// an address serves one link to the server, and some 28,000 are given out.
const linksPerSource = 20_000

// sourceTable has an HTTP client for each loopback address that links leave from.
type sourceTable struct {
	mu      sync.Mutex
	clients map[int]*http.Client
}

// sources are the process's own.
var sources = sourceTable{clients: make(map[int]*http.Client)}

// of returns the client for link i.
func (s *sourceTable) of(i int) *http.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := i / linksPerSource
	if s.clients[n] == nil {
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("127.0.0.%d", n+1))}}
		s.clients[n] = &http.Client{Transport: &http.Transport{DialContext: from.DialContext}}
	}
	return s.clients[n]
}
