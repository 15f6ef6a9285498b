package cli_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/merchantim/merchantim/config"
	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/vfs"
)

// poison appends records that no program can read to the log of a stopped server.
func poison(t *testing.T, data string, records int) {
	t.Helper()
	cfg := config.Default()
	log, err := journal.Open(vfs.OS(), filepath.Join(data, "log"), journal.Options{
		Topics: pipeline.Topics(cfg.Pipeline.SinglePartitions, cfg.Pipeline.MixedPartitions),
		Groups: pipeline.Groups(), SegmentBytes: int64(cfg.Journal.SegmentBytes),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range records {
		id, done := domain.DirectID("ann", "bob"), make(chan error, 1)
		r := stream.Record{Partition: stream.PartitionOf(id[:], log.Partitions(record.SingleTopic)), Key: id[:], Value: []byte("\x01\x02secret")}
		if err := log.Append(record.SingleTopic, []stream.Record{r}, func(err error) { done <- err }); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// An operator looks for what could not be processed, in the files of a stopped
// server and through a live one, page by page.
func TestDoctorDead(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if r := call(t, "doctor", "dead", "list", "--data", data); r.code != 0 || !strings.Contains(r.out, "no dead letters") {
		t.Errorf("without a folder: %+v", r)
	}
	serve(t, data).stop(t)
	if r := call(t, "doctor", "dead", "list", "--data", data); r.code != 0 || !strings.Contains(r.out, "no dead letters") {
		t.Errorf("with nothing parked: %+v", r)
	}
	poison(t, data, 3)

	s := serve(t, data)
	page := awaitLetters(t, data, 3)
	id := page.Letters[2].ID
	if r := call(t, "doctor", "dead", "list", "--data", data, "--limit", "2"); r.code != 0 ||
		!strings.Contains(r.out, "More with --after "+page.Letters[1].ID) || strings.Contains(r.out, id) {
		t.Errorf("the first page: %+v", r)
	}
	if r := call(t, "doctor", "dead", "show", id, "--data", data); r.code != 0 || !strings.Contains(r.out, "unreadable") || strings.Contains(r.out, "secret") {
		t.Errorf("shown: %+v", r)
	}
	if r := call(t, "doctor", "dead", "replay", id, "--data", data); r.code != 1 || !strings.Contains(r.err, "cannot read the record either") {
		t.Errorf("replayed: %+v", r)
	}
	if !strings.Contains(s.log.String(), "dead letter not replayed") {
		t.Errorf("the log has no line of it: %s", s.log)
	}
	s.stop(t)

	r := call(t, "doctor", "dead", "list", "--data", data, "--after", page.Letters[1].ID)
	if r.code != 0 || !strings.Contains(r.out, id) || strings.Contains(r.out, page.Letters[1].ID) {
		t.Errorf("the last page of a stopped server: %+v", r)
	}
	var letter admin.Letter
	r = call(t, "doctor", "dead", "show", id, "--data", data, "--json")
	if err := json.Unmarshal([]byte(r.out), &letter); err != nil || letter != page.Letters[2] {
		t.Errorf("shown by a stopped server: %+v, %v", r, err)
	}
	if r := call(t, "doctor", "dead", "show", "9-0-0", "--data", data); r.code != 1 || !strings.Contains(r.err, "no dead letter 9-0-0") {
		t.Errorf("one that is not there: %+v", r)
	}
	if r := call(t, "doctor", "dead", "replay", id, "--data", data); r.code != 1 || !strings.Contains(r.err, "no server runs") {
		t.Errorf("replayed without a server: %+v", r)
	}
}

// awaitLetters asks until the list has as many letters.
func awaitLetters(t *testing.T, data string, n int) (page admin.Letters) {
	t.Helper()
	for range 3000 {
		r := call(t, "doctor", "dead", "list", "--data", data, "--json")
		if err := json.Unmarshal([]byte(r.out), &page); err != nil || r.code != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		if len(page.Letters) >= n {
			return page
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d letters, want %d", len(page.Letters), n)
	return page
}
