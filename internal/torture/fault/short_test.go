package fault

import (
	"context"
	"testing"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/ws"
	"github.com/merchantim/merchantim/internal/usecase"
)

// lister has three rows.
type lister struct{ ws.Service }

func (lister) List(context.Context, domain.UserID, string, uint64, int) (usecase.Page, *domain.Error) {
	return usecase.Page{Rows: make([]usecase.Listed, 3), Version: 9}, nil
}

// Only a list since a version lacks a row.
func TestHoled(t *testing.T) {
	for since, want := range map[uint64]int{0: 3, 5: 2} {
		page, refusal := holed{lister{}}.List(t.Context(), "alice", "", since, 50)
		if refusal != nil || len(page.Rows) != want || page.Version != 9 {
			t.Errorf("since %d: %+v %v", since, page, refusal)
		}
	}
}
