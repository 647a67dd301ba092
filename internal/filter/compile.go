package filter

import (
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/overloads"
)

// Bounds of an expression.
const (
	// MaxBytes is the longest expression.
	MaxBytes = 4096
	// maxNesting bounds brackets in brackets; the parser's time grows with the square of it, and worse.
	maxNesting = 24
	// maxNodes bounds what macros make of an expression.
	maxNodes = 2000
	// maxLoops is how deep all, exists and exists_one may be nested.
	maxLoops = 2
	// maxRegex bounds the program of a regular expression, which runs over strings of up to 1 MiB.
	maxRegex = 60
)

// Error says what is wrong with an expression, in words for a client.
type Error struct {
	// Line and Column are where, from 1; the column counts characters.
	Line, Column int
	Message      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// environment is what expressions may use: CEL's standard functions, and of its macros those that build no lists. A
// list whose elements share one large value would cost next to nothing to build and for ever to compare.
//
//nolint:gochecknoglobals // made once, never changed
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable(varType, cel.StringType), cel.Variable(varPayload, cel.DynType), cel.Variable(varEntityID, cel.StringType),
		cel.ClearMacros(), cel.Macros(cel.HasMacro, cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(MaxBytes), cel.ParserRecursionLimit(maxNesting), cel.ParserErrorRecoveryLimit(1),
		cel.ExpressionNodeLimit(maxNodes), cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(),
			cel.ValidateComprehensionNestingLimit(maxLoops)),
	)
})

// Compile checks an expression over `type`, `payload` and `entity_id` that is true or false. What is wrong with it is
// an *Error.
func Compile(expression string) (*Program, error) {
	if len(expression) > MaxBytes {
		return nil, &Error{Line: 1, Column: 1, Message: fmt.Sprintf("the expression is longer than %d bytes", MaxBytes)}
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("filter environment: %w", err)
	}
	checked, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, firstOf(issues.Errors())
	}
	if err := check(checked); err != nil {
		return nil, err
	}
	charged := costs{}
	program, err := env.Program(checked, cel.OptimizeRegex(charged.matches()),
		cel.CostTracking(charged), cel.CostLimit(costLimit), cel.InterruptCheckFrequency(1))
	if err != nil {
		return nil, &Error{Line: 1, Column: 1, Message: words(err.Error())}
	}
	return &Program{program: program}, nil
}

// firstOf is the first fault by its place: those behind it mostly follow from it.
func firstOf(faults []*common.Error) *Error {
	first := faults[0]
	for _, fault := range faults[1:] {
		if before(fault.Location, first.Location) {
			first = fault
		}
	}
	return &Error{
		Line: max(1, first.Location.Line()), Column: max(0, first.Location.Column()) + 1, Message: words(first.Message),
	}
}

func before(a, b common.Location) bool {
	return a.Line() < b.Line() || a.Line() == b.Line() && a.Column() < b.Column()
}

// check refuses what CEL allows and a filter does not.
func check(checked *cel.Ast) error {
	if checked.OutputType().String() != cel.BoolType.String() {
		return &Error{Line: 1, Column: 1, Message: fmt.Sprintf(
			"the expression must be true or false, and this is %s; compare it with something, as in payload.paid == true",
			typeWords(checked.OutputType()))}
	}
	native := checked.NativeRep()
	for _, e := range ast.MatchDescendants(ast.NavigateAST(native), ast.AllMatcher()) {
		if fault := refused(e); fault != "" {
			place := native.SourceInfo().GetStartLocation(e.ID())
			return &Error{Line: max(1, place.Line()), Column: max(0, place.Column()) + 1, Message: fault}
		}
	}
	return nil
}

// refused tells what is wrong with one node: the lists and objects of an expression are literal, so that none can
// hold the same large value many times; regular expressions are literal, so that they are checked here.
func refused(e ast.NavigableExpr) string {
	switch e.Kind() {
	case ast.ListKind, ast.MapKind:
		for _, child := range e.Children() {
			if child.Kind() != ast.LiteralKind {
				return "a list or object in a filter may hold literal values only"
			}
		}
	case ast.StructKind:
		return "a filter cannot make values of other types"
	case ast.CallKind:
		call := e.AsCall()
		if args := call.Args(); call.FunctionName() == overloads.Matches && args[len(args)-1].Kind() != ast.LiteralKind {
			return "the regular expression of matches must be a literal string"
		}
	default:
	}
	return ""
}
