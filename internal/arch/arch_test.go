package arch

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestTheModuleKeepsTheRules(t *testing.T) {
	files, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"main.go", "config/load.go", "internal/arch/arch_test.go", "internal/kv/kv.go"} {
		if !slices.ContainsFunc(files, func(f file) bool { return f.name == name && len(f.imports) > 0 }) {
			t.Errorf("%s was not read", name)
		}
	}
	for _, broken := range check(files) {
		t.Error(broken)
	}
}

// TestPlantedViolationsAreCaught parses a module whose every file breaks one
// rule: the name says where it stands, the import what it must not.
func TestPlantedViolationsAreCaught(t *testing.T) {
	const ours = modulePath + "/"
	planted := map[string]struct{ imports, why string }{
		"domain/ids.go":                        {ours + "domain/chat", "standard library only"},
		"domain/ids_test.go":                   {ours + "internal/kv/memory", "standard library only"},
		"domain/uuid.go":                       {"github.com/google/uuid", "standard library only"},
		"domain/chat/sibling.go":               {ours + "domain/user", "never a sibling"},
		"domain/chat/store.go":                 {ours + "internal/store", "never internal"},
		"domain/chat/deep/x.go":                {ours + "internal/kv", "never internal"},
		"domain/chat/driver.go":                {"github.com/coder/websocket", "standard library and domain"},
		"internal/gateway/ws/kv.go":            {ours + "internal/kv", "the gateway"},
		"internal/gateway/rest/stream.go":      {ours + "internal/stream", "the gateway"},
		"internal/gateway/wire/store_test.go":  {ours + "internal/store", "the gateway"},
		"internal/store/log.go":                {ours + "internal/stream", "store imports"},
		"internal/store/gateway.go":            {ours + "internal/gateway/wire", "store imports"},
		"internal/kv/leveldb/domain.go":        {ours + "domain", "a port"},
		"internal/stream/journal/kv.go":        {ours + "internal/kv", "a port"},
		"internal/hot/memory/kv.go":            {ours + "internal/kv", "a port"},
		"internal/vfs/config.go":               {ours + "config", "stands alone"},
		"internal/metrics/stats.go":            {ours + "internal/stream", "stands alone"},
		"internal/presence/store.go":           {ours + "internal/store", "by name"},
		"internal/gateway/limit/wire.go":       {ours + "internal/gateway/wire", "by name"},
		"migrations/engine.go":                 {ours + "internal/kv/memory", "port only"},
		"internal/client/shortcut.go":          {ours + "internal/pipeline", "protocol alone"},
		"internal/pipeline/ldb.go":             {"github.com/syndtr/goleveldb/leveldb", "its home is internal/kv/leveldb"},
		"internal/pipeline/kafka.go":           {"github.com/segmentio/kafka-go", "its home is internal/stream/kafka"},
		"internal/pipeline/engine.go":          {ours + "internal/kv/leveldb", "its home"},
		"internal/pipeline/app.go":             {ours + "internal/app", "its home"},
		"internal/redistest/kv.go":             {ours + "internal/kv", "starts servers"},
		"internal/app/redis.go":                {"github.com/redis/go-redis/v9", "its home"},
		"internal/app/mini_test.go":            {"github.com/alicebob/miniredis/v2", "its home"},
		"internal/pipeline/kvredis.go":         {ours + "internal/kv/redis", "its home"},
		"internal/pipeline/hotredis.go":        {ours + "internal/hot/redis", "its home"},
		"internal/pipeline/redisconn.go":       {ours + "internal/redisconn", "its home"},
		"internal/pipeline/redistest.go":       {ours + "internal/redistest", "its home"},
		"internal/kv/redis/fine.go":            {ours + "internal/redisconn", ""},
		"internal/kv/redis/fine_test.go":       {ours + "internal/redistest", ""},
		"internal/app/ws.go":                   {"github.com/coder/websocket", "its home"},
		"internal/app/viper.go":                {"github.com/spf13/viper", "its home is config"},
		"internal/gateway/ws/jwt.go":           {"github.com/golang-jwt/jwt/v5", "its home is internal/auth"},
		"internal/gateway/ws/chi.go":           {"github.com/go-chi/chi/v5", "its home"},
		"internal/gateway/ws/huma.go":          {"github.com/danielgtaylor/huma/v2", "its home"},
		"internal/gateway/ws/prom.go":          {"github.com/prometheus/client_golang/prometheus", "its home"},
		"internal/app/cobra.go":                {"github.com/spf13/cobra", "its home"},
		"internal/app/pflag.go":                {"github.com/spf13/pflag", "its home"},
		"internal/app/cli.go":                  {ours + "internal/cli", "its home"},
		"internal/app/cmp.go":                  {"github.com/google/go-cmp/cmp", "its home"},
		"internal/app/new.go":                  {"example.com/new/library", "not in the table"},
		"internal/app/new_test.go":             {"example.com/new/library", "not in the table"},
		"internal/app/tagged_windows.go":       {"example.com/new/library", "not in the table"},
		"internal/gateway/websockety.go":       {"github.com/coder/websocketry", "not in the table"},
		"internal/app/journal_user.go":         {ours + "internal/stream/streamtest", ""},
		"internal/pipeline/journal.go":         {ours + "internal/stream/journal", "its home"},
		"internal/pipeline/cluster.go":         {ours + "internal/stream/kafka", "its home"},
		"internal/pipeline/rapid.go":           {"pgregory.net/rapid", "its home"},
		"internal/pipeline/goleak.go":          {"go.uber.org/goleak", "its home"},
		"config/uuid.go":                       {"github.com/google/uuid", "its home is internal"},
		"config/errgroup.go":                   {"golang.org/x/sync/errgroup", "its home is internal"},
		"config/unix.go":                       {"golang.org/x/sys/unix", "its home is internal"},
		"pkg/util/util.go":                     {"fmt", "no place"},
		"internal/gateway/ws/fine.go":          {"github.com/coder/websocket", ""},
		"internal/gateway/ws/domain.go":        {ours + "domain/chat", ""},
		"internal/app/fine.go":                 {ours + "internal/stream/journal", ""},
		"internal/kv/leveldb/fine.go":          {ours + "internal/kv", ""},
		"internal/kv/leveldb/fine_test.go":     {"pgregory.net/rapid", ""},
		"domain/chat/fine_test.go":             {"github.com/google/go-cmp/cmp", ""},
		"domain/chat/outside_test.go":          {ours + "domain/chat", ""},
		"domain/chat/fine.go":                  {ours + "domain", ""},
		"internal/pipeline/testdata/ignore.go": {"example.com/new/library", ""},
	}
	module := fstest.MapFS{}
	for name, p := range planted {
		source := "//go:build neverever\n\npackage x\n\nimport _ \"" + p.imports + "\"\n"
		module[name] = &fstest.MapFile{Data: []byte(source)}
	}
	files, err := load(module)
	if err != nil {
		t.Fatal(err)
	}
	broken := check(files)
	everyRuleIsPlanted(t, broken)
	for name, p := range planted {
		var said []string
		for _, line := range broken {
			if strings.HasPrefix(line, name+" ") || strings.HasPrefix(line, name+":") {
				said = append(said, line)
			}
		}
		switch {
		case p.why == "" && said != nil:
			t.Errorf("lawful, and yet: %v", said)
		case p.why != "" && (len(said) != 1 || !strings.Contains(said[0], p.why)):
			t.Errorf("%s imports %s: said %v, want %q", name, p.imports, said, p.why)
		}
	}
}

// everyRuleIsPlanted keeps a rule from standing there untested.
func everyRuleIsPlanted(t *testing.T, broken []string) {
	t.Helper()
	said := func(parts ...string) bool {
		return slices.ContainsFunc(broken, func(line string) bool {
			return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) })
		})
	}
	for _, l := range layers {
		if !said(l.why) {
			t.Errorf("nothing planted breaks %v: %s", l.packages, l.why)
		}
	}
	for _, h := range homes {
		if !said(h.of, "its home is") {
			t.Errorf("nothing planted imports %s away from home", h.of)
		}
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	if _, err := load(fstest.MapFS{"main.go": {Data: []byte("package")}}); err == nil {
		t.Error("half a file was passed over")
	}
}

func TestPatterns(t *testing.T) {
	for pattern, want := range map[string][]string{
		"a":    {"a", "a/b", "a/b/c"},
		"=a":   {"a"},
		"a/*":  {"a/b", "a/b/c"},
		"*":    {"a", "a/b", "a/b/c", "ab"},
		"=a/b": {"a/b"},
	} {
		var got []string
		for _, pkg := range []string{"a", "a/b", "a/b/c", "ab"} {
			if in(pkg, []string{pattern}) {
				got = append(got, pkg)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(pattern, diff)
		}
	}
}
