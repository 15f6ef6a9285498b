package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/auth"
)

func is(t *testing.T, f Finding, state State, detail string) {
	t.Helper()
	if f.State != state || !strings.Contains(f.Detail, detail) {
		t.Errorf("%+v; want %s with %q", f, state, detail)
	}
}

func TestAFreshFolderIsWellAndStaysUntouched(t *testing.T) {
	cfg := config.Default()
	home := t.TempDir()
	cfg.Data = filepath.Join(home, "not", "yet")
	r := Examine(t.Context(), cfg)
	for _, f := range r.Findings {
		switch f.Name {
		case "data", "keys", "server", "admin", "sync":
			if f.State == Wrong {
				t.Errorf("%+v", f)
			}
		}
	}
	if left, err := os.ReadDir(home); err != nil || len(left) != 0 {
		t.Errorf("the doctor left %v, %v", left, err)
	}
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	is(t, keys(dir), OK, "first start makes them")
	if _, err := auth.Open(dir, time.Now); err != nil {
		t.Fatal(err)
	}
	is(t, keys(dir), OK, "owner only")
	key := filepath.Join(dir, "keys", "admin.key")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	is(t, keys(dir), Wrong, "chmod go-rwx "+key)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	is(t, keys(dir), Wrong, "admin.key")
}

func TestServer(t *testing.T) {
	dir := t.TempDir()
	is(t, server(t.Context(), dir), OK, "none runs")
	claim, err := admin.ClaimData(dir)
	if err != nil {
		t.Fatal(err)
	}
	is(t, server(t.Context(), dir), Doubt, "starting or stopping")
	if err := claim.Announce(admin.Ports{Admin: "127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	is(t, server(t.Context(), dir), Wrong, "cannot be asked") // no key
	if _, err := auth.Open(dir, time.Now); err != nil {
		t.Fatal(err)
	}
	is(t, server(t.Context(), dir), Wrong, "does not answer")
	if err := claim.Close(); err != nil {
		t.Error(err)
	}
}

func TestDataThatIsNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	is(t, data(file, existing(file)), Wrong, "cannot be written to")
	is(t, syncTimes(t.Context(), file), Wrong, file)
}

func TestClock(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	file := filepath.Join(dir, "segment")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, file} {
		if err := os.Chtimes(path, now, now); err != nil {
			t.Fatal(err)
		}
	}
	if f := clock(dir, now); f.State == Wrong {
		t.Errorf("%+v", f)
	}
	is(t, clock(dir, now.Add(-time.Hour)), Wrong, "the clock went back")
	is(t, clock(dir, time.Unix(0, 0)), Wrong, "1970")
}

func TestAdminAddress(t *testing.T) {
	for addr, state := range map[string]State{
		"127.0.0.1:1": OK, "[::1]:1": OK, "localhost:1": OK, "10.0.0.1:1": OK,
		"0.0.0.0:1": Doubt, ":1": Doubt, "8.8.8.8:1": Doubt, "nowhere": Wrong,
	} {
		is(t, listener(addr), state, "")
	}
}

func TestOpenFiles(t *testing.T) {
	is(t, files(1<<62), Doubt, "room for")
}

func TestSyncTimes(t *testing.T) {
	many := func(d time.Duration) []time.Duration { return []time.Duration{d, d, d} }
	is(t, judge(many(time.Microsecond)), Doubt, "before anything can be written")
	is(t, judge(many(time.Millisecond)), OK, "p50 1ms")
	is(t, judge([]time.Duration{1e6, 1e6, time.Second}), Doubt, "waits")
	if times, err := probe(t.Context(), t.TempDir()); err != nil || len(times) == 0 {
		t.Error(times, err)
	}
}
