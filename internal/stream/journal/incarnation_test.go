package journal_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/vfs"
)

func openAbove(t *testing.T, fs vfs.FS, floor map[int32]stream.Position, groups ...string) *journal.Log {
	t.Helper()
	opt := taleOptions(groups...)
	opt.Floor = map[stream.TopicID]map[int32]stream.Position{tales: floor}
	log, err := journal.Open(fs, "/log", opt)
	failOn(t, err, "open")
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// tell appends one record to a partition.
func tell(t *testing.T, log *journal.Log, partition int32, values ...string) {
	t.Helper()
	for _, v := range values {
		answer := make(chan error, 1)
		recs := []stream.Record{{Partition: partition, Value: []byte(v)}}
		failOn(t, log.Append(tales, recs, func(err error) { answer <- err }), "append")
		failOn(t, <-answer, "answer")
	}
}

// positions reads what one partition has for a group: "value@incarnation:offset".
func positions(t *testing.T, log *journal.Log, group string, partition int32, commit bool) []string {
	t.Helper()
	var got []string
	err := log.Consume(t.Context(), group, func(ctx context.Context, p stream.Partition) error {
		if p.ID() != partition {
			return nil
		}
		for next := p.Start(); next < p.End(); {
			recs, err := p.Next(ctx, nil, 2)
			if err != nil {
				return err
			}
			for _, r := range recs {
				got = append(got, fmt.Sprintf("%s@%d:%d", r.Value, r.Position.Incarnation, r.Position.Offset))
				next = r.Position.Offset + 1
			}
			if commit {
				if err := p.Commit(next); err != nil {
					return err
				}
			}
		}
		return nil
	})
	failOn(t, err, "consume")
	return got
}

func wantPositions(t *testing.T, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("records (-want +got):\n%s", d)
	}
}

// A store that has applied more than the log has: the log was replaced by an
// older copy. Its offsets go on above both, in a new incarnation, once.
func TestStoreAheadOfLog(t *testing.T) {
	fs := vfs.NewMem()
	log := openAbove(t, fs, nil, audit, reading)
	tell(t, log, 0, "a", "b", "c")
	tell(t, log, 1, "x")
	wantPositions(t, positions(t, log, reading, 0, true), "a@1:0", "b@1:1", "c@1:2")
	failOn(t, log.Close(), "close")

	floor := map[int32]stream.Position{0: {Incarnation: 1, Offset: 9}, 2: {Incarnation: 1, Offset: 4}}
	for range 3 { // the floor stays, the incarnation begins once
		log = openAbove(t, fs, floor, audit, reading)
		failOn(t, log.Close(), "close")
	}
	log = openAbove(t, fs, floor, audit, reading)
	tell(t, log, 0, "d", "e")
	tell(t, log, 1, "y")
	tell(t, log, 2, "p")
	wantPositions(t, positions(t, log, audit, 0, false), "a@1:0", "b@1:1", "c@1:2", "d@2:10", "e@2:11")
	wantPositions(t, positions(t, log, audit, 1, false), "x@1:0", "y@2:1")
	wantPositions(t, positions(t, log, audit, 2, false), "p@2:5")
	wantPositions(t, positions(t, log, reading, 0, false), "d@2:10", "e@2:11")
	failOn(t, log.Close(), "close")

	log = openAbove(t, fs, floor, audit, reading)
	wantPositions(t, positions(t, log, audit, 0, true), "a@1:0", "b@1:1", "c@1:2", "d@2:10", "e@2:11")
	wantPositions(t, positions(t, log, reading, 0, true), "d@2:10", "e@2:11")
	failOn(t, log.Close(), "close")
	log = openAbove(t, fs, floor, audit, reading)
	wantPositions(t, positions(t, log, audit, 0, true))
}

func TestFloorWithinTheLogChangesNothing(t *testing.T) {
	fs := vfs.NewMem()
	log := openAbove(t, fs, nil, audit)
	tell(t, log, 0, "a", "b")
	failOn(t, log.Close(), "close")
	log = openAbove(t, fs, map[int32]stream.Position{0: {Incarnation: 1, Offset: 1}}, audit)
	tell(t, log, 0, "c")
	wantPositions(t, positions(t, log, audit, 0, false), "a@1:0", "b@1:1", "c@1:2")
}

func TestLostFolderBeginsANewIncarnation(t *testing.T) {
	fs := vfs.NewMem()
	floor := map[int32]stream.Position{0: {Incarnation: 3, Offset: 7}}
	log := openAbove(t, fs, floor, audit)
	tell(t, log, 0, "a")
	tell(t, log, 1, "x")
	wantPositions(t, positions(t, log, audit, 0, false), "a@4:8")
	wantPositions(t, positions(t, log, audit, 1, false), "x@4:0")
}

// A group that stood in the middle of the old incarnation reads to its end,
// passes the gap, and its commits let the old segments go.
func TestGroupPassesTheGap(t *testing.T) {
	fs := vfs.NewMem()
	log := openAbove(t, fs, nil, reading)
	tell(t, log, 0, "a", "b")
	failOn(t, log.Close(), "close")
	oldest, err := fs.List("/log")
	failOn(t, err, "list")
	floor := map[int32]stream.Position{0: {Incarnation: 1, Offset: 99}}
	log = openAbove(t, fs, floor, reading)
	err = log.Consume(t.Context(), reading, func(ctx context.Context, p stream.Partition) error {
		if p.ID() != 0 {
			return nil
		}
		recs, err := p.Next(ctx, nil, 2)
		if err != nil {
			return err
		}
		if err := p.Commit(recs[1].Position.Offset + 1); err != nil {
			return err
		}
		tell(t, log, 0, "c")
		recs, err = p.Next(ctx, nil, 2)
		if err == nil && (len(recs) != 1 || recs[0].Position != (stream.Position{Incarnation: 2, Offset: 100})) {
			err = fmt.Errorf("after the gap: %+v", recs)
		}
		return err
	})
	failOn(t, err, "consume")
	// Nothing needs the old segment now.
	eventually(t, "the old segment removed", func() bool {
		names, err := fs.List("/log")
		failOn(t, err, "list")
		return !slices.Contains(names, oldest[0])
	})
	failOn(t, log.Close(), "close")
	log = openAbove(t, fs, floor, reading)
	wantPositions(t, positions(t, log, reading, 0, false), "c@2:100")
}

// A topic that is declared no more keeps its numbering for the day it returns.
func TestTopicComesBack(t *testing.T) {
	fs := vfs.NewMem()
	both := taleOptions(audit)
	both.Topics = append(both.Topics, stream.Topic{ID: 9, Name: "other", Partitions: 2})
	both.Groups = append(both.Groups, stream.Group{Name: "g", Topic: 9})
	put := func(log *journal.Log, v string) {
		answer := make(chan error, 1)
		failOn(t, log.Append(9, []stream.Record{{Partition: 1, Value: []byte(v)}}, func(err error) { answer <- err }), "append")
		failOn(t, <-answer, "answer")
	}
	log, err := journal.Open(fs, "/log", both)
	failOn(t, err, "open")
	put(log, "a")
	put(log, "b")
	failOn(t, log.Close(), "close")

	log = openTale(t, fs, audit)
	if err := log.Append(9, []stream.Record{{Partition: 1}}, nil); err == nil {
		t.Fatal("a topic that is not declared takes records")
	}
	tell(t, log, 0, "meanwhile")
	failOn(t, log.Close(), "close")

	log, err = journal.Open(fs, "/log", both)
	failOn(t, err, "open")
	put(log, "c")
	got := positions(t, log, "g", 1, false)
	failOn(t, log.Close(), "close")
	if last := got[len(got)-1]; last != "c@1:2" {
		t.Fatalf("the topic goes on with %s", last)
	}
	both.Topics[1].Partitions = 3
	if log, err := journal.Open(fs, "/log", both); err == nil {
		_ = log.Close()
		t.Fatal("the topic came with another number of partitions")
	}
}
