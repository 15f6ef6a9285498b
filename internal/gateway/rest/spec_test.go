package rest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write docs/openapi.json anew")

const specFile = "../../../docs/openapi.json"

// The description in the repository is the one that is served. After a change:
// go test ./internal/gateway/rest -run Description -rewrite
func TestTheDescriptionInTheRepositoryIsFresh(t *testing.T) {
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := json.Indent(&want, s.Spec(), "", "  "); err != nil {
		t.Fatal(err)
	}
	want.WriteByte('\n')
	if *rewrite {
		if err := os.WriteFile(specFile, want.Bytes(), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(specFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("docs/openapi.json is stale, -rewrite makes it anew: %s", diff)
	}
}
