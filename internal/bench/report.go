package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// Bar is a figure and the limit that it must hold.
type Bar struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Op    string  `json:"op"` // ">=" or "<=": Value Op Bar must be true
	Bar   float64 `json:"bar"`
	Holds bool    `json:"holds"`
}

// Report is what a scenario found; its JSON form is the last line of the output.
type Report struct {
	Scenario string             `json:"scenario"`
	Figures  map[string]float64 `json:"figures"`
	Bars     []Bar              `json:"bars"`
	// Errors counts the server's error frames by code, over all windows.
	Errors map[string]int64 `json:"errors"`
	// Machine and Settings say where and how it was measured.
	Machine  Machine        `json:"machine"`
	Settings map[string]any `json:"settings"`
	// Exit is the process's exit code, Failure why it is not 0.
	Exit    int    `json:"exit"`
	Failure string `json:"failure,omitempty"`

	order []string // of the figures, as they were set
}

func newReport(scenario string) *Report {
	return &Report{Scenario: scenario, Figures: make(map[string]float64), Bars: []Bar{}, Errors: make(map[string]int64)}
}

// figure sets a figure, rounded to what it can mean.
func (r *Report) figure(name string, value float64) {
	if _, ok := r.Figures[name]; !ok {
		r.order = append(r.order, name)
	}
	r.Figures[name] = round(value)
}

func (r *Report) atMost(name string, value, bar float64) {
	r.Bars = append(r.Bars, Bar{name, round(value), "<=", round(bar), value <= bar})
}

func (r *Report) atLeast(name string, value, bar float64) {
	r.Bars = append(r.Bars, Bar{name, round(value), ">=", round(bar), value >= bar})
}

// count adds a window's error frames.
func (r *Report) count(codes map[string]int64) {
	for code, n := range codes {
		r.Errors[code] += n
	}
}

// merge takes over another scenario's findings, its figures under its name.
func (r *Report) merge(o *Report) {
	for _, name := range o.order {
		r.figure(o.Scenario+"."+name, o.Figures[name])
	}
	for _, b := range o.Bars {
		b.Name = o.Scenario + ": " + b.Name
		r.Bars = append(r.Bars, b)
	}
	r.count(o.Errors)
}

// finish sets the exit code: an error's own, else the product's if a bar was missed.
func (r *Report) finish(err error) error {
	missed := slices.ContainsFunc(r.Bars, func(b Bar) bool { return !b.Holds })
	if err == nil && missed {
		err = product("a bar was missed")
	}
	if err != nil {
		r.Exit = exitCode(err)
		r.Failure = whose(r.Exit) + err.Error()
	}
	return err
}

// round keeps four significant digits, which is more than any run repeats.
func round(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	if scale < 1 {
		return math.Round(v)
	}
	return math.Round(v*scale) / scale
}

// table prints the report for people.
func (r *Report) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\n%s\n", r.Scenario)
	for _, name := range r.order {
		fmt.Fprintf(t, "  %s\t%s\n", name, number(r.Figures[name]))
	}
	for code, n := range r.Errors {
		fmt.Fprintf(t, "  error frames %q\t%d\n", code, n)
	}
	if len(r.Bars) > 0 {
		fmt.Fprintf(t, "\nbar\tvalue\t\tlimit\tholds\n")
	}
	for _, b := range r.Bars {
		holds := "yes"
		if !b.Holds {
			holds = "NO"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", b.Name, number(b.Value), b.Op, number(b.Bar), holds)
	}
	if r.Failure != "" {
		fmt.Fprintf(t, "\n%s\n", r.Failure)
	}
	return t.Flush()
}

func number(v float64) string { return fmt.Sprintf("%.10g", v) }

// line prints the report as one line of JSON.
func (r *Report) line(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// median returns the middle value, or the mean of the two middle ones.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	if len(s)%2 == 1 {
		return s[len(s)/2]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}

// medianOf returns the median of a figure over several windows.
func medianOf[T any](all []T, figure func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, v := range all {
		values[i] = figure(v)
	}
	return median(values)
}
