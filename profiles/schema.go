package profiles

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/posthorn/posthorn/models"
)

const (
	// draft is the one that catalogues are written in: JSON Schema 2020-12.
	draft = "https://json-schema.org/draft/2020-12/schema"
	// maxSchemaBytes bounds a schema. Its patterns are Go's regular expressions, which run in linear time.
	maxSchemaBytes = 64 << 10
	// maxSchemaFaults bounds what one payload can be told.
	maxSchemaFaults = 20
	schemaURL       = "urn:posthorn:schema"
)

// compileSchema compiles a JSON Schema 2020-12 object. Its error is a sentence without a place.
func compileSchema(text string) (*jsonschema.Schema, error) {
	if len(text) > maxSchemaBytes {
		return nil, errors.New("must not be larger than 64 KiB")
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, errors.New("is not valid JSON")
	}
	object, ok := document.(map[string]any)
	if !ok {
		return nil, errors.New("must be an object")
	}
	if stated, ok := object["$schema"]; ok && stated != draft {
		return nil, errors.New("$schema must be " + draft)
	}
	if err := checkReferences(document); err != nil {
		return nil, err
	}
	boundNumbers(document)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return nil, errors.New("cannot be used: " + models.Shorten(err.Error()))
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil, errors.New("is not JSON Schema 2020-12: " + models.Shorten(err.Error()))
	}
	return compiled, nil
}

// noLoader keeps the compiler from opening files and addresses.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("a schema may refer to its own parts only")
}

// checkReferences refuses what would reach outside the schema. Members called $ref that are property names are
// caught as well, which nobody will miss.
func checkReferences(value any) error {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			ref, isText := inner.(string)
			outside := isText && (key == "$ref" || key == "$dynamicRef") && !strings.HasPrefix(ref, "#")
			if outside || isText && key == "$id" {
				return errors.New("may refer to its own parts only (#/…), and have no $id")
			}
			if err := checkReferences(inner); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range value {
			if err := checkReferences(inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckPayload checks a payload against the schema of the event type with the given name; a type without one takes
// any payload. The error names each fault, 20 at most, by JSON pointer: `payload/TransactionTypeId`. The payload is
// valid JSON (models.CheckPayload).
func (p *Profile) CheckPayload(name string, payload []byte) error {
	schema := p.index.schemas[name]
	if schema == nil {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return models.Invalid("payload", "is not valid JSON")
	}
	err = schema.Validate(boundNumbers(value))
	if err == nil {
		return nil
	}
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return models.Invalid("payload", "does not match the schema of %s", name)
	}
	fields := schemaFaults(invalid, nil)
	slices.SortStableFunc(fields, func(a, b models.FieldError) int {
		return cmp.Or(cmp.Compare(a.Location, b.Location), cmp.Compare(a.Message, b.Message))
	})
	return &models.Error{
		Code: models.CodeValidation, Message: "the payload does not match the schema of " + name,
		Fields: fields[:min(len(fields), maxSchemaFaults)],
	}
}

// schemaFaults collects the leaves of the tree that the library returns: what is at fault in the payload itself.
func schemaFaults(e *jsonschema.ValidationError, fields []models.FieldError) []models.FieldError {
	if len(e.Causes) == 0 {
		return append(fields, models.FieldError{
			Location: "payload" + pointer(e.InstanceLocation),
			Message:  models.Shorten(e.BasicOutput().Error.String()),
		})
	}
	for _, cause := range e.Causes {
		fields = schemaFaults(cause, fields)
	}
	return fields
}

// pointer is a JSON pointer (RFC 6901).
func pointer(path []string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var out strings.Builder
	for _, step := range path {
		out.WriteString("/" + escape.Replace(step))
	}
	return out.String()
}
