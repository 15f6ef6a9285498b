package memory_test

import (
	"testing"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/kvtest"
	"github.com/merchantim/merchantim/internal/kv/memory"
)

func TestContract(t *testing.T) {
	kvtest.Run(t, func(*testing.T) kv.Store { return memory.New() }, kvtest.Features{})
}
