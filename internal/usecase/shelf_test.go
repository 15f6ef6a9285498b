package usecase

import (
	"fmt"
	"testing"
	"time"

	"github.com/merchantim/merchantim/domain"
)

// many are rows in falling order: the shelf brings them into theirs.
func many(n int) (rows table) {
	for v := n; v > 0; v-- {
		p := placed{id: domain.ConversationID{byte(v >> 16), byte(v >> 8), byte(v)}}
		p.row.N = uint64(v)
		rows = rows.add(p)
	}
	return rows
}

func TestTheShelfIsBounded(t *testing.T) {
	var s shelf
	now := time.Unix(1000, 0)
	s.put("ann", 7, many(shelfRows-10), now)
	s.put("bob", 7, many(11), now)
	if s.at("ann", 7, now) == nil || s.at("bob", 7, now) != nil || s.rows != shelfRows-10 {
		t.Errorf("%d rows are kept", s.rows)
	}
	s.put("ann", 8, many(20), now) // in place of the others
	s.put("bob", 7, many(11), now)
	if s.at("ann", 8, now) == nil || s.at("bob", 7, now) == nil || s.rows != 31 {
		t.Errorf("%d rows are kept", s.rows)
	}
	for i := range shelfLists + 5 {
		s.looked(domain.UserID(fmt.Sprint(i)), 1, now)
	}
	if len(s.lists) != shelfLists || s.looked("late", shelfAfter+1, now) {
		t.Errorf("%d readers are remembered", len(s.lists))
	}
	s.at("ann", 8, now.Add(shelfTime))
	s.looked("ann", 1, now.Add(2*shelfTime))
	if len(s.lists) != 1 || s.rows != 20 {
		t.Errorf("after a while %d readers, %d rows", len(s.lists), s.rows)
	}
	s.drop("ann")
	if len(s.lists) != 0 || s.rows != 0 {
		t.Errorf("at the end %d readers, %d rows", len(s.lists), s.rows)
	}
}

func TestRowsOfAnotherRevisionAreDropped(t *testing.T) {
	var s shelf
	now := time.Unix(1000, 0)
	s.put("ann", 7, many(100), now)
	rows := s.at("ann", 7, now)
	if row, ok := find(rows, domain.ConversationID{0, 0, 42}); !ok || row.N != 42 {
		t.Errorf("row 42 is %+v, %v", row, ok)
	}
	if _, ok := find(rows, domain.ConversationID{0, 0, 101}); ok {
		t.Error("a row that is not there was found")
	}
	if s.at("ann", 8, now) != nil || s.at("ann", 7, now) != nil || s.rows != 0 {
		t.Error("the rows of revision 7 were kept")
	}
	// The next reading of all comes later.
	if s.looked("ann", 2*shelfAfter, now) || !s.looked("ann", 1, now) {
		t.Error("all are read again too soon, or never")
	}
}
