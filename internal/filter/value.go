package filter

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// decode reads a payload for CEL: of keys given twice the last counts, whole numbers of up to 64 bits are exact, all
// others are doubles, an endless one beyond their range.
func decode(payload []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil // a payload is checked before it comes here; what cannot be read has no members
	}
	return withNumbers(value)
}

// withNumbers replaces every json.Number in place.
func withNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		return number(string(v))
	case []any:
		for i := range v {
			v[i] = withNumbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = withNumbers(v[key])
		}
	}
	return value
}

func number(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n
	}
	n, _ := strconv.ParseFloat(text, 64) // out of range: infinite, and compares like it
	return n
}
