package models

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// Success is the rule that tells a delivery from a failure by the receiver's status: "200", "2xx", or a list of
// codes. Its zero value is invalid.
type Success struct {
	any2xx bool
	codes  []int
}

// Success2xx takes any status from 200 to 299.
func Success2xx() Success { return Success{any2xx: true} }

// SuccessCodes takes the given statuses only.
func SuccessCodes(codes ...int) Success { return Success{codes: codes} }

// Matches reports whether status means delivered.
func (s Success) Matches(status int) bool {
	if s.any2xx {
		return status >= 200 && status <= 299
	}
	return slices.Contains(s.codes, status)
}

// IsZero reports whether no rule was given.
func (s Success) IsZero() bool { return !s.any2xx && len(s.codes) == 0 }

// MarshalJSON writes "2xx", "200" for one code, or the list.
func (s Success) MarshalJSON() ([]byte, error) {
	switch {
	case s.any2xx:
		return []byte(`"2xx"`), nil
	case len(s.codes) == 1:
		return json.Marshal(strconv.Itoa(s.codes[0]))
	default:
		return json.Marshal(s.codes)
	}
}

// UnmarshalJSON reads what MarshalJSON writes, and a single code as a number.
func (s *Success) UnmarshalJSON(data []byte) error {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	return s.set(value)
}

// UnmarshalYAML reads the same forms from a profile file.
func (s *Success) UnmarshalYAML(unmarshal func(any) error) error {
	var value any
	if err := unmarshal(&value); err != nil {
		return err
	}
	return s.set(value)
}

// MarshalYAML writes the same forms as JSON.
func (s Success) MarshalYAML() (any, error) {
	if s.any2xx {
		return "2xx", nil
	}
	return s.codes, nil
}

func (s *Success) set(value any) error {
	if value == "2xx" {
		*s = Success2xx()
		return nil
	}
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	codes := make([]int, 0, len(list))
	for _, item := range list {
		code, err := statusCode(item)
		if err != nil {
			return err
		}
		codes = append(codes, code)
	}
	if len(codes) == 0 || len(codes) > 100 {
		return fmt.Errorf("must list 1 to 100 status codes")
	}
	*s = SuccessCodes(codes...)
	return nil
}

func statusCode(item any) (int, error) {
	var code int
	switch v := item.(type) {
	case int:
		code = v
	case float64:
		code = int(v)
		if float64(code) != v {
			code = 0
		}
	case string:
		code, _ = strconv.Atoi(v)
	}
	if code < 200 || code > 599 {
		return 0, fmt.Errorf(`must be "2xx", a status code from 200 to 599 or a list of them`)
	}
	return code, nil
}
