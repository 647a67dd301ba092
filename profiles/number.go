package profiles

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
)

const (
	// farMagnitude is the power of ten beyond which numbers are compared as if they were there.
	farMagnitude = 400
	// maxDigits are compared; the rest of a number is cut.
	maxDigits = 1000
)

// boundNumbers replaces, for checking only, the numbers of a decoded JSON value by ones that are cheap to compare:
// the schema library panics on 1e1000001 and takes minutes over a million digits, and both are legal payloads.
// Numbers of up to 1000 digits between 1e-400 and 1e400 stay exact.
func boundNumbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		return boundNumber(value)
	case map[string]any:
		for key, inner := range value {
			value[key] = boundNumbers(inner)
		}
	case []any:
		for i, inner := range value {
			value[i] = boundNumbers(inner)
		}
	}
	return value
}

func boundNumber(n json.Number) json.Number {
	text := string(n)
	if len(text) <= 20 && !strings.ContainsAny(text, "eE") {
		return n
	}
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	digits, magnitude := scientific(text)
	switch {
	case digits == "":
		return "0"
	case magnitude > farMagnitude:
		return json.Number(sign + "1e400")
	case magnitude < -farMagnitude:
		return json.Number(sign + "1e-400")
	default:
		return json.Number(sign + "0." + digits[:min(len(digits), maxDigits)] + "e" + strconv.Itoa(magnitude))
	}
}

// scientific splits an unsigned JSON number into digits, without leading zeros, and the magnitude m such that it is
// 0.digits · 10^m. Digits is "" for zero.
func scientific(text string) (digits string, magnitude int) {
	mantissa, exponent := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	leading := len(whole) + len(fraction) - len(digits)
	return digits, len(whole) - leading + exponentOf(exponent)
}

func exponentOf(text string) int {
	const far = 1 << 30 // beyond every payload's digits, and safe to add to
	if text == "" {
		return 0
	}
	value, err := strconv.Atoi(text)
	switch {
	case err != nil && strings.HasPrefix(text, "-"), value < -far:
		return -far
	case err != nil, value > far:
		return far
	default:
		return value
	}
}

// rational reads a JSON number exactly, within the bounds of boundNumber.
func rational(n json.Number) (*big.Rat, bool) {
	return new(big.Rat).SetString(string(boundNumber(n)))
}
