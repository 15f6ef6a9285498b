package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/config"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func load(t *testing.T, file string, flags map[string]any) config.Config {
	t.Helper()
	c, err := config.Load(file, flags)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNothingGivenIsTheShippedConfig(t *testing.T) {
	if diff := cmp.Diff(config.Default(), load(t, "", nil)); diff != "" {
		t.Error(diff)
	}
	if err := config.Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestEveryFormatSaysTheSame(t *testing.T) {
	want := config.Default()
	want.Listen = "0.0.0.0:9000"
	want.PublicOrigins = []string{"https://shop.example", "https://*.shop.example"}
	want.Node = 7
	want.Journal.SegmentBytes = 16 * config.MiB
	want.Journal.SyncInterval = time.Millisecond
	want.Pipeline.MixedPartitions = 4
	files := map[string]string{
		"c.yaml": `
listen: 0.0.0.0:9000
public_origins: ["https://shop.example", "https://*.shop.example"]
node: 7
journal:
  segment_bytes: 16MiB
  sync_interval: 1ms
pipeline: {mixed_partitions: 4}
`,
		"c.toml": `
listen = "0.0.0.0:9000"
public_origins = ["https://shop.example", "https://*.shop.example"]
node = 7
[journal]
segment_bytes = 16777216
sync_interval = "1ms"
[pipeline]
mixed_partitions = 4
`,
		"c.json": `{"listen":"0.0.0.0:9000","public_origins":["https://shop.example","https://*.shop.example"],
			"node":7,"journal":{"segment_bytes":16777216,"sync_interval":"1ms"},"pipeline":{"mixed_partitions":4}}`,
	}
	for name, content := range files {
		if diff := cmp.Diff(want, load(t, write(t, name, content), nil)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestFlagsBeatEnvironmentBeatsFile(t *testing.T) {
	file := write(t, "c.yaml", "data: file\nlisten: 127.0.0.1:1\nadmin: 127.0.0.1:2\n")
	t.Setenv("MERCHANTIM_LISTEN", "127.0.0.1:3")
	t.Setenv("MERCHANTIM_ADMIN", "127.0.0.1:4")
	t.Setenv("MERCHANTIM_LINK_MAX_INFLIGHT", "9") // a path that the file does not have
	t.Setenv("MERCHANTIM_PUBLIC_ORIGINS", "https://a.example, https://b.example")
	t.Setenv("MERCHANTIM_LINK", "hides nothing")
	t.Setenv("MERCHANTIM_SERVICE_HOST", "10.0.0.1") // what a cluster manager sets

	want := config.Default()
	want.Data, want.Listen, want.Admin = "file", "127.0.0.1:3", "127.0.0.1:5"
	want.Link.MaxInflight = 9
	want.PublicOrigins = []string{"https://a.example", "https://b.example"}
	if diff := cmp.Diff(want, load(t, file, map[string]any{"admin": "127.0.0.1:5"})); diff != "" {
		t.Error(diff)
	}
}

func TestFaultsNameTheirPath(t *testing.T) {
	for content, want := range map[string]string{
		"jurnal: {segment_bytes: 1MiB}":                 "jurnal.segment_bytes: there is no such setting",
		"journal: {segment_byte: 1MiB}":                 "journal.segment_byte: there is no such setting",
		"journal: 5":                                    "journal: there is no such setting",
		"journal: {sync_interval: 5}":                   "journal.sync_interval: 5 is not a time with its unit",
		"journal: {segment_bytes: many}":                `journal.segment_bytes: "many" is not a size`,
		"journal: {segment_bytes: -1}":                  "journal.segment_bytes: a size is not negative",
		"journal: {segment_bytes: 9999999999GiB}":       "is too large",
		"journal: {segment_bytes: 1KiB}":                "journal.segment_bytes: 1KiB is not between 1MiB and 1GiB",
		"journal: {max_disk_bytes: 64MiB}":              "journal.max_disk_bytes: must be 0 (no limit) or hold two segments",
		"pipeline: {single_partitions: 1.5}":            "pipeline.single_partitions: 1.5 is not a whole number",
		"pipeline: {single_partitions: 4294967296}":     "pipeline.single_partitions: 4294967296 is out of range",
		"short: {max_requests: 0}":                      "short.max_requests: 0 is not between 1 and 1000000",
		"short: {max_polls: -1}":                        "short.max_polls: -1 is not between 0 and 10000000",
		"short: {polls_per_user: 0}":                    "short.polls_per_user: 0 is not between",
		"short: {body_timeout: 1ms}":                    "short.body_timeout: 1ms is not between 10ms and 10m",
		"node: -1":                                      "node: -1 is out of range",
		"node: 0":                                       "node: numbers begin at 1",
		"listen: nowhere":                               `listen: "nowhere" is not host:port`,
		"listen: 127.0.0.1:99999":                       `listen: "127.0.0.1:99999" is not host:port`,
		"listen: 127.0.0.1:8081":                        "admin: is the same address as listen",
		"data: ''":                                      "data: name a folder",
		"data: [a]":                                     "data: [a] is not a text",
		"public_origins: [shop.example]":                `public_origins[0]: "shop.example" is not an origin`,
		"public_origins: ['https://a', '*']":            `public_origins[1]: "*" is not an origin`,
		"public_origins: ['https://a/chat']":            "public_origins[0]",
		"public_origins: ['https://[']":                 "public_origins[0]",
		"public_origins: [1]":                           "public_origins: 1 is not a text",
		"limits: {max_text_bytes: 65536}":               "limits.max_text_bytes: a text of this size, escaped, does not fit",
		"limits: {sends_per_second: -1}":                "limits.sends_per_second: -1 is not between 0 and 1000000",
		"limits: {requests_burst: 0}":                   "limits.requests_burst: 0 is not between 1 and 1000000",
		"limits: {half_open_per_address: -1}":           "limits.half_open_per_address: -1 is not between 0 and 10000000",
		"link: {queue_bytes: 1}":                        "link.queue_bytes: 1 is not between 64KiB and 1GiB",
		"log: {level: loud}":                            `log.level: "loud" is not one of debug, info, warn, error`,
		"log: {level: loud, format: xml}\nnode: 0":      `log.format: "xml" is not one of text, json`,
		"log: {level: true}":                            "log.level: true is not a text",
		"store: {flush_interval: 5m}":                   "store.flush_interval: 5m0s is not between 1ms and 1m0s",
		"link: {heartbeat: forever}\nstore: {foo: bar}": "store.foo: there is no such setting",
	} {
		_, err := config.Load(write(t, "c.yaml", content), nil)
		var fault *config.Error
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", content, err, want)
		}
	}
	if _, err := config.Load("", map[string]any{"lisen": "x"}); err == nil {
		t.Error("an unknown flag path was taken")
	}
}

func TestUnreadableFilesAreErrors(t *testing.T) {
	for _, file := range []string{
		filepath.Join(t.TempDir(), "absent.yaml"),
		write(t, "c.yaml", "a: [unclosed"),
		write(t, "c.ini2", "a"),
	} {
		if _, err := config.Load(file, nil); err == nil {
			t.Errorf("%s was taken", file)
		}
	}
}

func TestPrintedConfigLoadsBack(t *testing.T) {
	want := config.Default()
	want.Data = "a \"quoted\"\tfolder\\ü"
	want.PublicOrigins = []string{"https://a.example", "http://b.example:8080"}
	want.Log = config.Log{Level: "debug", Format: "json"}
	want.Journal.MaxDiskBytes = 3*config.GiB + 1
	var out strings.Builder
	if err := want.Print(&out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, load(t, write(t, "c.yaml", out.String()), nil)); diff != "" {
		t.Errorf("%s\n%s", out.String(), diff)
	}
}

func TestSizesReadBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := config.Bytes(rapid.Int64Min(0).Draw(t, "bytes"))
		if got, err := config.ParseBytes(b.String()); err != nil || got != b {
			t.Fatalf("%d is written %q and read %d, %v", int64(b), b, got, err)
		}
	})
	for _, bad := range []string{"", "KiB", "-1", "1.5MiB", "1 TB", "1KiBB", "0x10"} {
		if b, err := config.ParseBytes(bad); err == nil {
			t.Errorf("%q read as %d", bad, b)
		}
	}
}

// FuzzFile: whatever a file says, it loads to a valid Config or is refused.
func FuzzFile(f *testing.F) {
	f.Add([]byte("journal: {segment_bytes: 16MiB}\nnode: 3"))
	f.Add([]byte("public_origins: [https://a.example]\nlog: {level: debug}"))
	file := filepath.Join(f.TempDir(), "c.yaml") // each worker has a folder of its own
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Skip(err)
		}
		c, err := config.Load(file, nil)
		if err == nil && c.Validate() != nil {
			t.Errorf("an invalid config was loaded: %v", c.Validate())
		}
	})
}
