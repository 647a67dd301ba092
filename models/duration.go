package models

import (
	"fmt"
	"strings"
	"time"
)

// Duration is a time.Duration that is written as a Go duration string ("20ms", "2m", "72h") in JSON and YAML.
type Duration time.Duration

// String returns the Go form, e.g. "1m30s".
func (d Duration) String() string { return time.Duration(d).String() }

// Std returns the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// MarshalText writes the Go form with trailing zero units left out: "2m", not "2m0s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(shortDuration(time.Duration(d))), nil }

// UnmarshalText reads the Go form; "0" is zero. Negative durations are refused.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as \"20ms\", \"2m\" or \"72h\"", text)
	}
	if parsed < 0 {
		return fmt.Errorf("%q is negative", text)
	}
	*d = Duration(parsed)
	return nil
}

// IsZeroNumber reports whether the JSON text is the number zero: as a duration, it is clear without a unit.
func IsZeroNumber(text string) bool { return text != "" && strings.Trim(text, "-0.") == "" }

func shortDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if len(s) > len(zero) && s[len(s)-len(zero):] == zero {
			s = s[:len(s)-len(zero)+1]
		}
	}
	return s
}
