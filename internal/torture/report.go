package torture

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/merchantim/merchantim/internal/torture/check"
	"github.com/merchantim/merchantim/internal/torture/trail"
)

// Report is the last line of the output. Clean means that all up to Kills but
// Acked, and those of the second group, are 0.
type Report struct {
	Acked          int `json:"acked"`
	Lost           int `json:"lost"`
	Duplicated     int `json:"duplicated"`
	Reordered      int `json:"reordered"`
	InboxMismatch  int `json:"inbox_mismatch"`
	UnreadMismatch int `json:"unread_mismatch"`
	Kills          int `json:"kills"`

	Invented     int  `json:"invented"`
	WrongAnswers int  `json:"wrong_answers"`
	Died         int  `json:"died"`        // lives that ended without a kill
	Stalls       int  `json:"stalls"`      // links given up for want of an answer
	Unrecovered  bool `json:"unrecovered"` // the server did not come back: what was acked counts as lost

	PowerLosses int     `json:"power_losses"` // of the kills
	Intended    int     `json:"intended"`
	Stored      int     `json:"stored"`
	Entries     int     `json:"entries"`
	Pushed      int     `json:"pushed"`
	Repeats     int     `json:"repeats"`
	Claims      int     `json:"claims"`
	Refused     int     `json:"refused"`
	Links       int     `json:"links"`
	LostTails   int     `json:"lost_tails"`
	Groups      int     `json:"groups"`
	Changes     int     `json:"changes"`     // of members, asked for
	Switches    int     `json:"switches"`    // of groups, across the large size
	Gaps        int     `json:"gaps"`        // in large groups, pulled
	Recovered   int     `json:"recovered"`   // links that were told to have everything
	ShortLinks  int     `json:"short_links"` // of the links
	Moved       int     `json:"moved"`       // messages repeated on the other link
	Shed        int     `json:"shed"`        // answers that the server has too much to do
	Settled     int     `json:"settled"`     // clients that got all that they lacked, each held against the server
	Seconds     float64 `json:"seconds"`
	Seed        uint64  `json:"seed"`
	Break       string  `json:"break,omitempty"`
	Dir         string  `json:"dir,omitempty"` // where everything is kept, if it is

	findings []check.Finding
	refusals map[string]int
}

// Clean reports whether the server did what it promises.
func (r Report) Clean() bool {
	return r.Lost+r.Duplicated+r.Reordered+r.InboxMismatch+r.UnreadMismatch+
		r.Invented+r.WrongAnswers+r.Died+r.Stalls == 0 && !r.Unrecovered
}

// stateFile holds the final state, so that a kept run can be judged again.
const stateFile = "state.json"

// judge runs the checker, if there is a state to check.
func (r *runner) judge(state check.State, unrecovered error) error {
	if unrecovered != nil {
		r.tell("%v", unrecovered)
		r.report.Unrecovered = true
		state = check.State{}
	} else if err := writeJSON(filepath.Join(r.dir, stateFile), state); err != nil {
		return err
	}
	trails, err := trails(filepath.Join(r.dir, "trails"))
	if err != nil {
		return err
	}
	r.tell("checking %d trails", len(trails))
	v, err := check.Run(trails, state)
	if err != nil {
		return err
	}
	if unrecovered != nil {
		v.Counts = map[check.Field]int{check.Lost: v.Acked}
		v.Findings = nil
	}
	r.report.take(v)
	return nil
}

func (r *Report) take(v check.Verdict) {
	r.Acked, r.Intended, r.Stored, r.Entries = v.Acked, v.Intended, v.Stored, v.Entries
	r.Switches = v.Switches
	r.Pushed, r.Repeats, r.Claims, r.Refused, r.findings = v.Pushed, v.Repeats, v.Claims, v.Refused, v.Findings
	r.Lost, r.Duplicated, r.Reordered = v.Counts[check.Lost], v.Counts[check.Duplicated], v.Counts[check.Reordered]
	r.InboxMismatch, r.UnreadMismatch = v.Counts[check.InboxMismatch], v.Counts[check.UnreadMismatch]
	r.Invented, r.WrongAnswers = v.Counts[check.Invented], v.Counts[check.WrongAnswers]
}

// trails finds the trails of a run. A user's name ends at the first dot.
func trails(dir string) ([]check.Trail, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	out := make([]check.Trail, 0, len(files))
	for _, file := range files {
		user, _, _ := strings.Cut(filepath.Base(file), ".")
		out = append(out, check.Trail{User: user, Events: trail.Read(file)})
	}
	return out, nil
}

// recheck judges a kept run again.
func recheck(dir string) (Report, error) {
	var state check.State
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return Report{}, err
	}
	if err := json.Unmarshal(data, &state); err != nil {
		return Report{}, err
	}
	all, err := trails(filepath.Join(dir, "trails"))
	if err != nil {
		return Report{}, err
	}
	v, err := check.Run(all, state)
	r := Report{Dir: dir}
	r.take(v)
	return r, err
}

// explain says what was found, for a reader.
func (r Report) explain(w io.Writer) error {
	var b strings.Builder
	for _, f := range r.findings {
		fmt.Fprintf(&b, "%s: %s", f.Field, f.Text)
		if at := f.Where.String(); at != "" {
			fmt.Fprintf(&b, " (%s)", at)
		}
		b.WriteByte('\n')
	}
	if len(r.refusals) > 0 {
		b.WriteString("refusals:")
		for _, code := range slices.Sorted(maps.Keys(r.refusals)) {
			fmt.Fprintf(&b, " %s %d", code, r.refusals[code])
		}
		b.WriteByte('\n')
	}
	if r.Dir != "" {
		fmt.Fprintf(&b, "kept in %s: trails/, logs/, data/; judge again with torture --check %s\n", r.Dir, r.Dir)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
