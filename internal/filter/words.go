package filter

import (
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
)

//nolint:gochecknoglobals // constants in all but kind
var (
	plain = strings.NewReplacer(
		"mismatched input '<EOF>'", "the expression ends too early",
		"no viable alternative at input '<EOF>'", "the expression ends too early",
		"mismatched input", "unexpected",
		"extraneous input", "unexpected",
		"token recognition error at: ", "unexpected ",
		"comprehension exceeds nesting limit", "all, exists and exists_one are nested too deeply",
		"invalid matches argument", "not a regular expression",
	)
	tooDeep      = regexp.MustCompile(`^(expression recursion limit exceeded: \d+|max recursion depth exceeded)$`)
	syntaxPrefix = regexp.MustCompile(`^Syntax error: `)
	// expecting is the parser's list of all that might have come instead.
	expecting  = regexp.MustCompile(` expecting .*$`)
	undeclared = regexp.MustCompile(`^undeclared reference to '(.*?)'.*$`)
	// operatorName is how CEL calls an operator: _==_, !_, _[_].
	operatorName = regexp.MustCompile(`'@?([_!?:=<>&|+*/%\-\[\]]+|in|not_strictly_false)'`)
)

// words turns a message of the library into one for a client, who knows neither its grammar nor its names for
// operators.
func words(message string) string {
	message = syntaxPrefix.ReplaceAllString(message, "")
	message = plain.Replace(message)
	message = tooDeep.ReplaceAllString(message, "the expression is nested too deeply")
	message = expecting.ReplaceAllString(message, "")
	message = undeclared.ReplaceAllString(message, "'$1' is not known; a filter knows type, payload and entity_id")
	return operatorName.ReplaceAllStringFunc(message, func(name string) string {
		return strings.NewReplacer("_", "", "@", "").Replace(name)
	})
}

// typeWords names a type as someone who writes JSON would.
func typeWords(t *cel.Type) string {
	switch name := t.String(); name {
	case "dyn":
		return "a value of any type"
	case "int", "uint", "double":
		return "a number"
	case "string":
		return "a string"
	default:
		return "of type " + name
	}
}
