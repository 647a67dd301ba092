package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// documentChecker holds answers against the OpenAPI document that the API itself serves.
type documentChecker struct {
	t        testing.TB
	document map[string]any
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

const documentURL = "https://posthorn.test/openapi.json"

func newDocumentChecker(tb testing.TB, w *world) *documentChecker {
	tb.Helper()
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "/openapi.json", nil))
	require.Equal(tb, http.StatusOK, recorder.Code)
	value, err := jsonschema.UnmarshalJSON(recorder.Body)
	require.NoError(tb, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	require.NoError(tb, compiler.AddResource(documentURL, value))
	return &documentChecker{
		t: tb, document: value.(map[string]any), compiler: compiler, schemas: map[string]*jsonschema.Schema{},
	}
}

// check requires that the document has the answer's status, and that the answer matches its schema.
func (d *documentChecker) check(method, path string, out *reply) {
	d.t.Helper()
	pattern, ok := d.pattern(path)
	if !ok || out.status == http.StatusMethodNotAllowed || method == http.MethodOptions {
		return // no route, no promise
	}
	if method == http.MethodHead {
		require.Empty(d.t, out.body)
		return
	}
	responses := dig(d.document, "paths", pattern, strings.ToLower(method), "responses")
	response := dig(responses, strconv.Itoa(out.status))
	require.NotNil(d.t, response, "%s %s does not document %d: %s", method, pattern, out.status, out.body)
	mediaType, _, _ := strings.Cut(out.header.Get("Content-Type"), ";")
	content := dig(response, "content", mediaType)
	if dig(response, "content") == nil {
		require.Empty(d.t, out.body)
		return
	}
	require.NotNil(d.t, content, "%s %s %d does not document %s", method, pattern, out.status, mediaType)
	if dig(content, "schema") == nil {
		return
	}
	d.validate(pointerTo("paths", pattern, strings.ToLower(method), "responses", strconv.Itoa(out.status), "content",
		mediaType, "schema"), out.body)
}

func (d *documentChecker) validate(pointer string, body []byte) {
	d.t.Helper()
	d.mu.Lock()
	schema, ok := d.schemas[pointer]
	if !ok {
		var err error
		schema, err = d.compiler.Compile(documentURL + "#" + pointer)
		require.NoError(d.t, err, pointer)
		d.schemas[pointer] = schema
	}
	d.mu.Unlock()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(d.t, err, string(body))
	require.NoError(d.t, schema.Validate(calm(value)), "%.2000s", body)
}

// calm replaces the numbers that the schema library cannot bear; payloads may have any.
func calm(value any) any {
	switch v := value.(type) {
	case json.Number:
		if len(v) > 20 || strings.ContainsAny(string(v), "eE") {
			return json.Number("0")
		}
	case map[string]any:
		for key := range v {
			v[key] = calm(v[key])
		}
	case []any:
		for i := range v {
			v[i] = calm(v[i])
		}
	}
	return value
}

// pattern finds the documented path that a request's path matches, the literal one first.
func (d *documentChecker) pattern(path string) (string, bool) {
	patterns := make([]string, 0, 50)
	for pattern := range d.document["paths"].(map[string]any) {
		patterns = append(patterns, pattern)
	}
	slices.SortFunc(patterns, func(a, b string) int {
		return cmp.Or(strings.Count(a, "{")-strings.Count(b, "{"), len(b)-len(a)) // a verb at the end before none
	})
	given := strings.Split(path, "/")
	for _, pattern := range patterns {
		steps := strings.Split(pattern, "/")
		same := len(steps) == len(given) && !slices.ContainsFunc(indexes(steps), func(i int) bool {
			_, verb, parameter := strings.Cut(steps[i], "}")
			return steps[i] != given[i] && (!parameter || given[i] == "" || !strings.HasSuffix(given[i], verb))
		})
		if same {
			return pattern, true
		}
	}
	return "", false
}

func indexes[T any](list []T) []int {
	all := make([]int, len(list))
	for i := range all {
		all[i] = i
	}
	return all
}

func dig(value any, steps ...string) any {
	for _, step := range steps {
		object, _ := value.(map[string]any)
		value = object[step]
	}
	return value
}

func pointerTo(steps ...string) string {
	var out strings.Builder
	for _, step := range steps {
		escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
		out.WriteString("/" + url.PathEscape(escaped))
	}
	return out.String()
}
