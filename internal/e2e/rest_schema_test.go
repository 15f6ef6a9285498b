package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// schema is as much of JSON Schema as the description uses.
type schema struct {
	Ref        string `json:"$ref"`
	Type       string
	Properties map[string]*schema
	Required   []string
	Items      *schema
	Enum       []any
	Pattern    string
	Minimum    *float64
	Maximum    *float64
	MaxItems   *int
}

// parameter is a parameter of an operation.
type parameter struct {
	Name, In string
	Required bool
	Schema   *schema
	Example  any
}

type bodies map[string]struct {
	Schema  *schema
	Example any
}

// described is one operation of the description.
type described struct {
	method, path string
	ID           string `json:"operationId"`
	Parameters   []parameter
	RequestBody  *struct{ Content bodies }
	Responses    map[string]struct{ Content bodies }
	Security     []map[string][]string
}

// description is what the server says of itself.
type description struct {
	Paths      map[string]map[string]*described
	Components struct{ Schemas map[string]*schema }
	all        []*described
}

func (w *web) description() *description {
	w.t.Helper()
	var d description
	if err := json.Unmarshal(w.ok("GET", "/v1/openapi.json", "").body, &d); err != nil {
		w.t.Fatal(err)
	}
	for path, item := range d.Paths {
		for method, op := range item {
			op.method, op.path = strings.ToUpper(method), path
			d.all = append(d.all, op)
		}
	}
	slices.SortFunc(d.all, func(a, b *described) int { return strings.Compare(a.ID, b.ID) })
	return &d
}

func (d *description) resolve(s *schema) *schema {
	if name, is := strings.CutPrefix(s.Ref, "#/components/schemas/"); is {
		return d.Components.Schemas[name]
	}
	return s
}

// kindOf is the JSON type of a value.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
	}
	return "number"
}

// faults are what a value has that its schema does not, and the other way round.
func (d *description) faults(s *schema, v any, at string) (all []string) {
	if s = d.resolve(s); s == nil {
		return []string{at + ": its schema is not there"}
	}
	fault := func(ok bool, what string, args ...any) {
		if !ok {
			all = append(all, at+": "+fmt.Sprintf(what, args...))
		}
	}
	if kindOf(v) != s.Type {
		return []string{fmt.Sprintf("%s: %s instead of %q", at, kindOf(v), s.Type)}
	}
	fault(s.Enum == nil || slices.Contains(s.Enum, v), "%v is not one of %v", v, s.Enum)
	switch v := v.(type) {
	case string:
		fault(regexp.MustCompile(s.Pattern).MatchString(v), "%q is not %s", v, s.Pattern)
	case float64:
		fault(s.Minimum == nil || v >= *s.Minimum, "%v is too low", v)
		fault(s.Maximum == nil || v <= *s.Maximum, "%v is too high", v)
	case []any:
		for i, item := range v {
			all = append(all, d.faults(s.Items, item, fmt.Sprintf("%s[%d]", at, i))...)
		}
		fault(s.MaxItems == nil || len(v) <= *s.MaxItems, "%d are too many", len(v))
	case map[string]any:
		for _, name := range s.Required {
			_, there := v[name]
			fault(there, "%s is missing", name)
		}
		for name, field := range v {
			known := s.Properties[name]
			fault(known != nil, "%s is not described", name)
			if known != nil {
				all = append(all, d.faults(known, field, at+"."+name)...)
			}
		}
	}
	return all
}

// answers checks an answer against what is described.
func (d *description) answers(t *testing.T, op *described, r *said) {
	t.Helper()
	want, known := op.Responses[fmt.Sprint(r.status)]
	if !known {
		t.Errorf("%s answers %d, which is not described: %s", op.ID, r.status, r.body)
		return
	}
	kind := r.header.Get("Content-Type")
	if len(want.Content) == 0 {
		if len(r.body) > 0 {
			t.Errorf("%s: %d has a body: %s", op.ID, r.status, r.body)
		}
		return
	}
	media, known := want.Content[kind]
	var v any
	if err := json.Unmarshal(r.body, &v); err != nil || !known {
		t.Errorf("%s: %q, %v: %s", op.ID, kind, err, r.body)
		return
	}
	for _, fault := range d.faults(media.Schema, v, op.ID) {
		t.Error(fault)
	}
}

// What is described is what is there: examples have the form that they are the
// examples of.
func TestExamplesAreOfTheirForm(t *testing.T) {
	s := serve(t)
	d := newWeb(t, s.Addr(), "").description()
	if len(d.all) < 12 {
		t.Fatalf("%d operations", len(d.all))
	}
	check := func(name string, c bodies) {
		for kind, media := range c {
			if kind == "application/problem+json" {
				continue
			}
			for _, fault := range d.faults(media.Schema, media.Example, name) {
				t.Error(fault)
			}
		}
	}
	for _, op := range d.all {
		if op.RequestBody != nil {
			check(op.ID+" body", op.RequestBody.Content)
		}
		examples := 0
		for status, r := range op.Responses {
			check(op.ID+" "+status, r.Content)
			if status < "300" {
				examples += len(r.Content)
			}
		}
		if op.RequestBody == nil && examples == 0 {
			t.Errorf("%s has no example", op.ID)
		}
		for _, p := range op.Parameters {
			for _, fault := range d.faults(p.Schema, p.Example, op.ID+" "+p.Name) {
				t.Error(fault)
			}
		}
	}
}
