package hottest

import (
	"context"
	"errors"
	"testing"

	"github.com/merchantim/merchantim/internal/hot"
)

func absentTakesNothing(_ *testing.T, s *subject) {
	s.wantNotFilled("u")
	s.touch("u", item("a", 5))
	s.wantNotFilled("u")
	s.have("u", item("b", 1))
	s.want("u", item("b", 1))
}

func fillingGivesNothing(_ *testing.T, s *subject) {
	s.begin("u")
	s.wantNotFilled("u")
	s.touch("u", item("a", 5))
	s.wantNotFilled("u")
}

func emptyIsComplete(_ *testing.T, s *subject) {
	s.have("u")
	s.want("u")
	s.touch("u", item("a", 5))
	s.want("u", item("a", 5))
}

func fillNeedsBegin(t *testing.T, s *subject) {
	refused := func() {
		t.Helper()
		if err := s.Fill(ctx, "u", []hot.Item{item("a", 1)}); !errors.Is(err, hot.ErrNotFilled) {
			t.Fatalf("fill of an absent set: %v; want ErrNotFilled", err)
		}
		s.wantNotFilled("u")
	}
	refused()
	s.begin("u")
	s.must(s.Forget(ctx, "u"))
	refused()
}

func touchesWhileFilling(_ *testing.T, s *subject) {
	s.begin("u")
	s.touch("u", item("new", 9), item("newer here", 8), item("newer there", 2), item("same", 4))
	s.fill("u", item("newer here", 3), item("newer there", 7), item("same", 4), item("old", 1))
	s.want("u", item("new", 9), item("newer here", 8), item("newer there", 7), item("same", 4), item("old", 1))
}

func beginAgain(_ *testing.T, s *subject) {
	s.begin("u")
	s.touch("u", item("a", 5))
	s.begin("u")
	s.wantNotFilled("u")
	s.fill("u", item("b", 1))
	s.want("u", item("a", 5), item("b", 1))
	s.begin("u")
	s.want("u", item("a", 5), item("b", 1))
}

func fillAgain(_ *testing.T, s *subject) {
	s.have("u", item("a", 5), item("b", 1))
	s.fill("u", item("a", 4), item("b", 7), item("c", 2))
	s.want("u", item("b", 7), item("a", 5), item("c", 2))
	s.fill("u")
	s.want("u", item("b", 7), item("a", 5), item("c", 2))
}

func fillIsUntidy(_ *testing.T, s *subject) {
	s.have("u", item("a", 1), item("c", 3), item("a", 4), item("b", 2), item("a", 2))
	s.want("u", item("a", 4), item("c", 3), item("b", 2))
}

func fillCopies(_ *testing.T, s *subject) {
	items := []hot.Item{item("b", 2), item("a", 3), item("c", 1)}
	s.have("u", items...)
	clear(items)
	s.want("u", item("a", 3), item("b", 2), item("c", 1))
}

func topCopies(_ *testing.T, s *subject) {
	s.have("u", item("a", 2), item("b", 1))
	got, err := s.Top(ctx, "u", nil, 2)
	s.must(err)
	clear(got)
	s.want("u", item("a", 2), item("b", 1))
}

func forgetDrops(_ *testing.T, s *subject) {
	s.must(s.Forget(ctx, "u"))
	s.have("u", item("a", 5))
	s.must(s.Forget(ctx, "u"))
	s.wantNotFilled("u")
	s.have("u", item("b", 1))
	s.want("u", item("b", 1))

	s.begin("filling")
	s.touch("filling", item("a", 5))
	s.must(s.Forget(ctx, "filling"))
	s.have("filling", item("b", 1))
	s.want("filling", item("b", 1))
}

func setsDoNotLeak(_ *testing.T, s *subject) {
	names := []string{"", "u", "u\x00", "u:v", "{u}", "U", "\xff\xfe"}
	for i, n := range names {
		s.have(n, item("a", int64(i)))
	}
	s.touch("u", item("b", 9))
	s.must(s.Forget(ctx, "U"))
	for i, n := range names {
		switch n {
		case "u":
			s.want(n, item("b", 9), item("a", int64(i)))
		case "U":
			s.wantNotFilled(n)
		default:
			s.want(n, item("a", int64(i)))
		}
	}
}

func cancelledDoesNothing(t *testing.T, s *subject) {
	gone, cancel := context.WithCancel(ctx)
	cancel()
	s.have("full", item("a", 5))
	s.begin("filling")
	_, topErr := s.Top(gone, "full", nil, 1)
	for call, err := range map[string]error{
		"Top":    topErr,
		"Touch":  s.Touch(gone, "full", item("b", 9)),
		"Begin":  s.Begin(gone, "absent"),
		"Fill":   s.Fill(gone, "filling", []hot.Item{item("a", 1)}),
		"Forget": s.Forget(gone, "full"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", call, err)
		}
	}
	s.want("full", item("a", 5))
	s.wantNotFilled("filling")
	if err := s.Fill(ctx, "absent", nil); !errors.Is(err, hot.ErrNotFilled) {
		t.Errorf("a cancelled Begin began: %v", err)
	}
}
