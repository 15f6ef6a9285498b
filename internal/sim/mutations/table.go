package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

const intro = `# Mutations: which defect is caught by what

Each row is a patch of this folder: a defect that a tired engineer would make. ` + "`make mutate`" + `
puts one after the other into a copy of the tree and runs the tests that its head
names; ` + "`make mutate NAME=...`" + ` takes those whose name matches. The first test that fails
has caught it; "(no end)" is a test that hung, "(panic)" one that took the process
with it. The seconds are those of one run on two cores, building included. The last
column is the simulation (` + "`internal/sim`" + `), asked with ` + "`SEEDS=...`" + ` besides.

A patch that does not apply any more fails ` + "`make test`" + `: it has to be made anew, by
hand or with ` + "`git diff`" + `, so that it is the same defect in the code of today.

`

const header = "| mutation | what it breaks | rule | caught by | seconds | sim |\n|---|---|---|---|---|---|\n"

// row is a result as a line of the table.
func (r *result) row() string {
	by, sim := r.by, r.sim
	if by == "" {
		by = "**nothing**"
	}
	if sim == "" {
		sim = " "
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %.1f | %s |", r.name, r.breaks, r.rule, by, r.seconds, sim)
}

// rows reads the table of a README, by the name of the mutation.
func rows(readme string) map[string]string {
	found := make(map[string]string)
	for line := range strings.Lines(readme) {
		cells := strings.Split(line, "|")
		if len(cells) == 8 && !strings.Contains(line, "---") && strings.TrimSpace(cells[1]) != "mutation" {
			found[strings.TrimSpace(cells[1])] = strings.TrimSpace(line)
		}
	}
	return found
}

// simOf is the last cell of a row.
func simOf(row string) string {
	cells := strings.Split(row, "|")
	if len(cells) != 8 {
		return ""
	}
	return strings.TrimSpace(cells[6])
}

// update brings the rows of results up to date and keeps the others; what the
// simulation said last stays unless it was asked again.
func update(path string, all []*mutation, results []result) error {
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	table := rows(string(before))
	for i := range results {
		r := results[i]
		if r.sim == "" {
			r.sim = simOf(table[r.name])
		}
		table[r.name] = r.row()
	}
	var text strings.Builder
	text.WriteString(intro + header)
	for _, m := range all {
		if row, ok := table[m.name]; ok {
			text.WriteString(row + "\n")
		}
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}
