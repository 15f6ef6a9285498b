package rest

import (
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/merchantim/merchantim/domain"
)

// description is what OpenAPI says of the whole. The library's own pages and
// links are off: its reference page would be loaded from elsewhere.
func description() huma.Config {
	cfg := huma.Config{OpenAPI: &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "merchantim, the short link", Version: "1",
			Description: "The HTTP twin of the long link. Unknown fields are ignored, `null` is the same as absent; " +
				"a body has at most 64 KiB and is nested at most 32 deep. " +
				"Every refusal is a problem (RFC 9457) with a code; one with `retry` may be sent again as it is.",
		},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"token": {Type: "http", Scheme: "bearer", Description: "Made by `merchantim token`."},
			},
		},
		Tags: []*huma.Tag{{Name: "Start"}, {Name: "Conversations"}, {Name: "Messages"}, {Name: "Inbox"}},
	}}
	cfg.AllowAdditionalPropertiesByDefault = true
	return cfg
}

// describe is the operation in OpenAPI.
func (op *operation) describe(r huma.Registry) *huma.Operation {
	d := &huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Summary: op.summary, Description: op.about,
		Tags: []string{op.group}, Responses: make(map[string]*huma.Response),
	}
	for i := range op.params {
		d.Parameters = append(d.Parameters, op.params[i].describe())
	}
	if !op.public {
		d.Security = []map[string][]string{{"token": {}}}
	}
	if op.body != nil {
		d.RequestBody = &huma.RequestBody{Required: true, Content: media("application/json", r, op.body)}
	}
	if op.answer != nil {
		d.Responses[status(http.StatusOK)] = &huma.Response{Description: "Done.", Content: media("application/json", r, op.answer)}
	} else {
		d.Responses[status(http.StatusNoContent)] = &huma.Response{Description: "Done."}
	}
	if op.notModified {
		d.Responses[status(http.StatusNotModified)] = &huma.Response{Description: "The same as the one with this ETag."}
	}
	op.describeRefusals(d, r)
	return d
}

// codes are all that the operation may be refused with.
func (op *operation) codes() []domain.Code {
	all := slices.Clone(op.refuses)
	all = append(all, domain.Invalid, domain.Unavailable, domain.Internal)
	if !op.public {
		all = append(all, domain.Unauthenticated)
	}
	if op.body != nil && !slices.Contains(all, domain.TooLarge) {
		all = append(all, domain.TooLarge)
	}
	slices.Sort(all)
	return all
}

func (op *operation) describeRefusals(d *huma.Operation, r huma.Registry) {
	for _, code := range op.codes() {
		key := status(kinds[code].status)
		said := "`" + string(code) + "`: " + strings.ToLower(kinds[code].title[:1]) + kinds[code].title[1:] + "."
		if res := d.Responses[key]; res != nil {
			res.Description += " " + said
			continue
		}
		d.Responses[key] = &huma.Response{Description: said, Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: r.Schema(reflect.TypeFor[problem](), true, "")},
		}}
	}
}

func media(kind string, r huma.Registry, example any) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{kind: {Schema: r.Schema(reflect.TypeOf(example), true, ""), Example: example}}
}
