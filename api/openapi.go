package api

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/models"
)

const (
	securityScheme = "key"
	basicScheme    = "basic"
	problemContent = "application/problem+json"
)

func (s *server) humaConfig() huma.Config {
	format := huma.Format{Marshal: writeJSON}
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(reflect.TypeFor[models.Success](), reflect.TypeFor[successForms]())
	registry.RegisterTypeAlias(reflect.TypeFor[models.Ordering](), reflect.TypeFor[orderingForms]())
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Posthorn", Version: s.Version,
				Description: "Posthorn takes an event once and sees to it that every subscriber's endpoint gets it, in the " +
					"way that subscribers of that provider expect, for as long as it takes, with every attempt on record.",
			},
			Servers: []*huma.Server{{URL: "/"}},
			Tags:    tags(),
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					securityScheme: { //nolint:gosec // the form of a key, not a key
						Type: "http", Scheme: "bearer", BearerFormat: "ph_<role>_<key id>_<secret>",
						Description: "An API key. Its role says what it may do, its application what there is for it.",
					},
					basicScheme: {
						Type: "http", Scheme: "basic",
						Description: "On provider-shaped routes only: the application's id as user, one of its keys as password.",
					},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		Transformers:                 []huma.Transformer{s.ownErrors},
		RejectUnknownQueryParameters: true,
	}
}

// operation documents a route; what follows from its handler's types, Huma adds.
func (s *server) operation(r route) huma.Operation {
	status := r.status
	if status == 0 {
		status = http.StatusOK
	}
	op := huma.Operation{
		Method: r.method, Path: r.served(), OperationID: r.id, Summary: r.summary, Description: description(r),
		Tags: []string{r.tag}, DefaultStatus: status, Parameters: pathParameters(r.path),
		Security: []map[string][]string{},
		Responses: map[string]*huma.Response{
			strconv.Itoa(status): {Description: http.StatusText(status), Headers: answerHeaders()},
		},
	}
	documentErrors(&op, http.StatusInternalServerError)
	if strings.Contains(r.path, "{") {
		documentErrors(&op, http.StatusNotFound)
	}
	if r.public {
		return op
	}
	op.Security = []map[string][]string{{securityScheme: {}}}
	op.Middlewares = huma.Middlewares{s.guard(r)}
	documentErrors(&op, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	if r.provider {
		op.Security = append(op.Security, map[string][]string{basicScheme: {}})
		op.Parameters = append(op.Parameters, r.query...)
		op.SkipValidateParams = true // its handler does, and answers 400
		documentErrors(&op, http.StatusBadRequest)
	} else {
		documentErrors(&op, http.StatusUnprocessableEntity)
	}
	if r.roles != nil {
		documentErrors(&op, http.StatusForbidden)
	}
	if r.idempotent {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "Makes a repeat harmless: the same as idempotency_key in the body.",
		})
	}
	if r.traced {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "traceparent", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "The W3C trace context that the deliveries become part of; one that is not valid counts as not given.",
		})
	}
	if r.conflicts {
		documentErrors(&op, http.StatusConflict)
	}
	return op
}

func description(r route) string {
	switch {
	case r.public:
		return strings.TrimSpace(r.text + " Needs no credentials.")
	case r.roles == nil:
		return strings.TrimSpace(r.text + " Any key.")
	}
	words := make([]string, len(r.roles))
	for i, role := range r.roles {
		words[i] = string(role)
	}
	who := " Roles: " + strings.Join(words, ", ") + "."
	if r.managed {
		who += " Operator only where the profile has managed_by: operator."
	}
	if r.provider {
		who += " For the application of the key; a key of the deployment may not."
	}
	return strings.TrimSpace(r.text + who)
}

func pathParameters(path string) []*huma.Param {
	var params []*huma.Param
	for _, match := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
		p := &huma.Param{Name: match[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}
		if match[1] == "app" || strings.HasSuffix(strings.ToLower(match[1]), "id") {
			p.Schema.Format = "uuid"
		}
		params = append(params, p)
	}
	return params
}

// documentErrors adds error answers to an operation.
func documentErrors(op *huma.Operation, statuses ...int) {
	for _, status := range statuses {
		headers := answerHeaders()
		switch status {
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			headers["Retry-After"] = header("Seconds to wait.", huma.TypeInteger)
		case http.StatusUnauthorized:
			headers["WWW-Authenticate"] = header("The schemes that are taken.", huma.TypeString)
		}
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status), Headers: headers,
			Content: map[string]*huma.MediaType{problemContent: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}},
		}
	}
}

func answerHeaders() map[string]*huma.Param {
	return map[string]*huma.Param{"X-Request-Id": header("The request's id, the client's own where it sent one.", huma.TypeString)}
}

func header(text, kind string) *huma.Param {
	return &huma.Param{Description: text, Schema: &huma.Schema{Type: kind}}
}

func (s *server) requestBody(required bool, body reflect.Type) *huma.RequestBody {
	return &huma.RequestBody{Required: required, Content: s.content("application/json", body)}
}

// content documents a body of one of the media types, separated by commas; a nil type has no schema.
func (s *server) content(mediaTypes string, body reflect.Type) map[string]*huma.MediaType {
	media := &huma.MediaType{}
	if body != nil {
		media.Schema = s.huma.OpenAPI().Components.Schemas.Schema(body, true, "")
	}
	content := map[string]*huma.MediaType{}
	for mediaType := range strings.SplitSeq(mediaTypes, ",") {
		content[mediaType] = media
	}
	return content
}

// documented is the operation of a registered route.
func (s *server) documented(r route) *huma.Operation {
	item := s.huma.OpenAPI().Paths[r.served()]
	switch r.method {
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodPatch:
		return item.Patch
	case http.MethodDelete:
		return item.Delete
	default:
		return item.Get
	}
}

// moveVerbs documents the routes that end with a verb under their own paths.
func (s *server) moveVerbs(all []route) {
	paths := s.huma.OpenAPI().Paths
	for _, r := range all {
		if r.served() == r.path {
			continue
		}
		paths[r.path] = &huma.PathItem{Post: s.documented(r)}
		paths[r.served()].Post = nil
	}
}

// finishSpec makes the document that /openapi.json answers.
func (s *server) finishSpec() error {
	schemas := s.huma.OpenAPI().Components.Schemas
	schemas.Schema(reflect.TypeFor[Problem](), true, "")
	delete(schemas.Map(), "ErrorModel") // Huma's own, which no answer has
	delete(schemas.Map(), "ErrorDetail")
	for _, schema := range schemas.Map() {
		neverNullLists(schema)
	}
	text, err := appendJSON(nil, s.huma.OpenAPI())
	if err != nil {
		return fmt.Errorf("openapi document: %w", err)
	}
	s.spec = text
	return nil
}

// neverNullLists: Huma takes every list for nullable; ours are empty instead.
func neverNullLists(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
		neverNullLists(s.Items)
	}
	for _, property := range s.Properties {
		neverNullLists(property)
	}
}
