package usecase

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/conversation"
)

const (
	// shelfAfter is how many rows of a list are looked up one by one before all
	// are read at once: together they cost a tenth each, so whoever reads on
	// has paid for a long list by then, and who does not has lost little.
	shelfAfter = 2_000
	// shelfRows bounds the rows kept, of all users: about 20 MB.
	shelfRows = 120_000
	// shelfLists bounds the users remembered.
	shelfLists = 1_000
	// shelfTime is how long rows are kept for a reader who does not come back.
	shelfTime = 10 * time.Second
)

// placed is a row with its conversation.
type placed struct {
	id  domain.ConversationID
	row conversation.Row
}

// shelf keeps all rows of a long list while somebody reads it page by page. Its
// rows are of one revision of the list and are given out for that one alone:
// whatever changes the list, also a read position, makes them worthless. The
// zero value is ready. All methods may be called concurrently.
type shelf struct {
	mu    sync.Mutex
	lists map[domain.UserID]*reading
	rows  int // kept, of all lists
	swept time.Time
}

// reading is what is known of one who reads his list.
type reading struct {
	used   time.Time
	looked int // rows looked up one by one since the last reading of all
	need   int // after how many all are read
	rev    uint64
	rows   table // of rev; nil: none are kept
	sorted bool  // the rows are one part, in the order of their ids
}

// table is many rows, in parts of tablePart: one slice that grows to 50,000
// would be copied many times over.
type table [][]placed

const tablePart = 1024

func (t table) add(p placed) table {
	if n := len(t); n > 0 && len(t[n-1]) < cap(t[n-1]) {
		t[n-1] = append(t[n-1], p)
		return t
	}
	return append(t, append(make([]placed, 0, tablePart), p))
}

func (t table) len() (n int) {
	for _, part := range t {
		n += len(part)
	}
	return n
}

// at returns all rows of a list as of a revision, nil if they are not kept.
// They must not be changed.
func (s *shelf) at(me domain.UserID, rev uint64, now time.Time) []placed {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.lists[me]
	if r == nil {
		return nil
	}
	r.used = now
	if r.rows == nil {
		return nil
	}
	if r.rev != rev {
		// On a list that changes from page to page it pays less and less.
		s.empty(r)
		r.need *= 2
		return nil
	}
	if !r.sorted {
		all := slices.Concat(r.rows...)
		slices.SortFunc(all, func(a, b placed) int { return bytes.Compare(a.id[:], b.id[:]) })
		r.rows, r.sorted = table{all}, true
	}
	return r.rows[0]
}

// looked counts rows that are about to be looked up one by one, and reports
// whether it is time to read all instead.
func (s *shelf) looked(me domain.UserID, rows int, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.open(me, now)
	if r == nil {
		return false
	}
	r.looked += rows
	if r.looked <= r.need {
		return false
	}
	r.looked = 0
	return true
}

// put keeps all rows of a list as of a revision, if there is room. The shelf
// takes them over.
func (s *shelf) put(me domain.UserID, rev uint64, rows table, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.open(me, now)
	if r == nil {
		return
	}
	s.empty(r)
	n := rows.len()
	if s.rows+n > shelfRows {
		r.need *= 2
		return
	}
	r.rev, r.rows, r.sorted = rev, rows, false
	s.rows += n
}

// drop forgets a list that was read to its end.
func (s *shelf) drop(me domain.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.lists[me]; r != nil {
		s.empty(r)
		delete(s.lists, me)
	}
}

// open returns what is known of a reader, new if need be; nil if there are too
// many. mu is held.
func (s *shelf) open(me domain.UserID, now time.Time) *reading {
	s.sweep(now)
	r := s.lists[me]
	if r == nil {
		if len(s.lists) >= shelfLists {
			return nil
		}
		if s.lists == nil {
			s.lists = make(map[domain.UserID]*reading)
		}
		r = &reading{need: shelfAfter}
		s.lists[me] = r
	}
	r.used = now
	return r
}

func (s *shelf) empty(r *reading) {
	s.rows -= r.rows.len()
	r.rows = nil
}

// sweep forgets once a second whoever has not come back. mu is held.
func (s *shelf) sweep(now time.Time) {
	if now.Sub(s.swept) < time.Second {
		return
	}
	s.swept = now
	for me, r := range s.lists {
		if now.Sub(r.used) > shelfTime {
			s.empty(r)
			delete(s.lists, me)
		}
	}
}

// find returns a conversation's row among sorted ones.
func find(rows []placed, id domain.ConversationID) (conversation.Row, bool) {
	i, ok := slices.BinarySearchFunc(rows, id, func(p placed, id domain.ConversationID) int {
		return bytes.Compare(p.id[:], id[:])
	})
	if !ok {
		return conversation.Row{}, false
	}
	return rows[i].row, true
}
