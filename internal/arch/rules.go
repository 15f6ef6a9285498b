package arch

const modulePath = "github.com/merchantim/merchantim"

// places are the folders that hold Go code.
var places = []string{".", "config", "migrations", "domain", "internal", "web"}

// testLibraries may be used by any test file, and by the suites (see homes).
var testLibraries = []string{
	"github.com/google/go-cmp", "pgregory.net/rapid", "go.uber.org/goleak",
}

// layer says what of ours some packages import.
type layer struct {
	packages []string
	// only, if not nil, is all that they may import; never is what they may not.
	only, never []string
	// testsAlso is what their test files may import besides.
	testsAlso []string
	// standardOnly: of what is not ours, the standard library alone.
	standardOnly bool
	why          string
}

var layers = []layer{
	{
		packages: []string{"=domain"}, only: []string{}, standardOnly: true,
		why: "domain imports the standard library only",
	},
	{
		packages: []string{"domain/*"}, only: []string{"=domain"}, standardOnly: true,
		why: "a domain package imports the standard library and domain, never a sibling, never internal",
	},
	{
		packages: []string{"internal/gateway"},
		never:    []string{"internal/kv", "internal/stream", "internal/store", "internal/vfs"},
		why:      "the gateway imports domain packages, never kv, stream, store",
	},
	{
		packages: []string{"internal/store"}, only: []string{"domain", "internal/kv", "internal/enc", "internal/store"},
		standardOnly: true, testsAlso: []string{"internal/vfs"},
		why: "store imports domain and kv (and enc, which is arithmetic)",
	},
	{
		packages: []string{"internal/kv"}, only: []string{"internal/kv", "internal/vfs", "internal/redisconn"},
		testsAlso: []string{"internal/redistest"},
		why:       "a port and its engines know nothing but the file system and the servers",
	},
	{
		packages: []string{"internal/stream"}, only: []string{"internal/stream", "internal/vfs"},
		why: "a port and its engines know nothing but the file system",
	},
	{
		packages: []string{"internal/hot"}, only: []string{"internal/hot", "internal/redisconn"},
		testsAlso: []string{"internal/redistest"},
		why:       "a port and its engines know nothing of what they keep",
	},
	{
		packages: []string{"internal/presence", "internal/gateway/limit"}, only: []string{"domain"}, standardOnly: true,
		why: "this package knows users by name, and nothing else",
	},
	{
		packages: []string{"internal/redistest"}, only: []string{"internal/redisconn"}, standardOnly: true,
		why: "this package starts servers, and knows no engine",
	},
	{
		packages: []string{"internal/vfs"}, only: []string{"internal/vfs"},
		why: "this package stands alone",
	},
	{
		packages: []string{"internal/metrics", "internal/auth", "internal/version", "internal/enc", "internal/redisconn", "config"}, only: []string{},
		why: "this package stands alone",
	},
	{
		packages: []string{"migrations"}, only: []string{"=internal/kv"}, testsAlso: []string{"internal/kv"},
		why: "migrations know the store's port only",
	},
	{
		packages: []string{"internal/client"},
		never: []string{
			"internal/app", "internal/pipeline", "internal/store", "internal/kv", "internal/stream",
			"internal/hot", "internal/gateway/ws",
		},
		why: "a client is written from the protocol alone",
	},
}

// home says who may import a library, or a package of ours that is not for all.
type home struct {
	of      string
	in      []string
	testsIn []string
}

var homes = []home{
	// Drivers: one or two homes each. bench and torture speak raw frames.
	{of: "github.com/syndtr/goleveldb", in: []string{"internal/kv/leveldb"}},
	{of: "github.com/segmentio/kafka-go", in: []string{"internal/stream/kafka"}},
	{
		of: "github.com/redis/go-redis",
		in: []string{"internal/redisconn", "internal/kv/redis", "internal/hot/redis"},
	},
	{of: "github.com/alicebob/miniredis", in: []string{}, testsIn: []string{"internal/redisconn", "internal/kv/redis", "internal/hot/redis"}},
	{
		of:      "github.com/coder/websocket",
		in:      []string{"internal/gateway/ws", "internal/client", "internal/bench", "internal/torture"},
		testsIn: []string{"internal/app", "internal/e2e", "internal/gateway"},
	},
	{of: "github.com/go-chi/chi", in: []string{"internal/admin", "internal/gateway/rest"}},
	{of: "github.com/danielgtaylor/huma", in: []string{"internal/gateway/rest"}},
	{of: "github.com/spf13/viper", in: []string{"config"}},
	{of: "github.com/golang-jwt/jwt", in: []string{"internal/auth"}},
	{
		of: "github.com/prometheus/client_golang", in: []string{"internal/metrics", "internal/admin", "internal/app"},
		testsIn: []string{"*"},
	},
	{
		of: "github.com/spf13/cobra",
		in: []string{"internal/cli", "internal/bench", "internal/torture", "internal/client/demo"},
	},
	{of: "github.com/spf13/pflag", in: []string{"internal/cli"}},
	// Small helpers.
	{of: "github.com/google/uuid", in: []string{"internal"}},
	{of: "golang.org/x/sync", in: []string{"internal"}},
	{of: "golang.org/x/sys", in: []string{"internal"}},
	{of: "github.com/google/go-cmp", in: suites},
	{of: "pgregory.net/rapid", in: suites},
	{of: "go.uber.org/goleak", in: suites},
	// Ours. Only the composition root picks engines; only commands start it.
	{of: "internal/kv/leveldb", in: []string{"internal/app", "internal/torture"}, testsIn: []string{"*"}},
	{of: "internal/kv/redis", in: []string{"internal/app", "internal/torture"}},
	{of: "internal/hot/redis", in: []string{"internal/app", "internal/torture"}},
	{of: "internal/redisconn", in: []string{"internal/app", "internal/kv/redis", "internal/hot/redis", "internal/redistest"}, testsIn: []string{"*"}},
	{of: "internal/redistest", in: []string{}, testsIn: []string{"*"}},
	{of: "internal/stream/journal", in: []string{"internal/app", "internal/torture"}, testsIn: []string{"*"}},
	{of: "internal/stream/kafka", in: []string{"internal/app", "internal/torture"}, testsIn: []string{"*"}},
	{of: "internal/app", in: []string{".", "internal/cli", "internal/bench", "internal/torture"}, testsIn: []string{"internal/e2e"}},
	{of: "internal/cli", in: []string{".", "internal/cli"}, testsIn: []string{"internal/bench"}},
}

// suites are the conformance suites of the ports: test code in exported form.
var suites = []string{"internal/kv/kvtest", "internal/stream/streamtest", "internal/hot/hottest"}
