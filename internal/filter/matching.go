// How regular expressions are matched within bounds.

package filter

import (
	"regexp"

	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// matching is a call of matches. Its regular expression is compiled once, and it is charged before it runs: CEL charges
// a call afterwards, when one over a string of 1 MiB has taken up to a second.
type matching struct {
	interpreter.InterpretableCall

	compiled *regexp.Regexp
}

// matches makes the calls of a program, and notes in c how large their regular expressions are.
func (c costs) matches() *interpreter.RegexOptimization {
	return &interpreter.RegexOptimization{
		Function: overloads.Matches, RegexIndex: 1,
		Factory: func(call interpreter.InterpretableCall, pattern string) (interpreter.InterpretableCall, error) {
			compiled, err := regexp.Compile(pattern)
			if err != nil {
				return nil, err //nolint:wrapcheck // it was checked with the expression, by an error with a place
			}
			size, err := types.RegexProgramSize(pattern)
			c[pattern] = uint64(max(0, size))
			return &matching{call, compiled}, err
		},
	}
}

// Exec implements interpreter.InterpretableV2.
func (m *matching) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	subject := m.Args()[0].Exec(frame)
	text, ok := subject.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(subject)
	}
	if charged := frame.CostTracker(); charged != nil {
		charged.EvalBinary(frame, m.ID(), m, text, types.String(m.compiled.String()), types.False)
	}
	return types.Bool(m.compiled.MatchString(string(text)))
}

// Eval implements interpreter.Interpretable.
func (m *matching) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, m.Exec)
}
