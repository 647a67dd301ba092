package models

import (
	"errors"
	"regexp"
	"time"
)

// rfc3339 is the form of a date-time by RFC 3339, section 5.6, in capitals. time.Parse alone takes more: a comma before
// the fraction, an hour of one digit, an offset of 24 hours.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// ParseTime reads an RFC 3339 time, in the offset that it was given in. A leap second is an error.
func ParseTime(text string) (time.Time, error) {
	if !rfc3339.MatchString(text) {
		return time.Time{}, errors.New("not an RFC 3339 time")
	}
	return time.Parse(time.RFC3339Nano, text)
}
