package filter

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// costs charges what CEL's own table takes for cheap where the types are known at run time only: looking through whole
// values to compare them, building longer strings and lists, and matching regular expressions, each byte of which may
// take as many steps as the expression has. It knows those of one program, and their sizes.
type costs map[string]uint64

// CallCost is charged for one call; nil leaves it to CEL's table.
func (c costs) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	cost := uint64(1)
	switch function {
	case operators.Equals, operators.NotEquals, operators.Add:
		for _, arg := range args {
			cost += weight(arg.Value())
		}
	case operators.In:
		cost += weight(args[0].Value())
		if _, isMap := args[1].(traits.Mapper); !isMap { // a look-up in a map costs the same for any size
			cost += weight(args[1].Value())
		}
	case overloads.Matches:
		if pattern, ok := args[1].Value().(string); ok {
			cost += weight(args[0].Value()) * c[pattern]
		}
	default:
		return nil
	}
	return &cost
}

// weight is about how many steps it takes to look through a value.
func weight(value any) uint64 {
	switch v := value.(type) {
	case string:
		return 1 + uint64(len(v))/10
	case []byte:
		return 1 + uint64(len(v))/10
	case []any:
		sum := uint64(1)
		for i := range v {
			sum += weight(v[i])
		}
		return sum
	case map[string]any:
		sum := uint64(1)
		for key, inner := range v {
			sum += 1 + uint64(len(key))/10 + weight(inner)
		}
		return sum
	case []ref.Val:
		return 1 + uint64(len(v)) // literal values
	default:
		return 1
	}
}
