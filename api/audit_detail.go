package api

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/posthorn/posthorn/internal/delivery"
)

// maxNoted bounds a member in an entry's detail, in bytes; of a longer one the length is noted. A body has few members,
// each of them known.
const maxNoted = 4 << 10

// note makes a member with the text the detail of the entry.
func (c *call) note(name, text string) {
	c.entry.Detail = append(appendMember([]byte{'{'}, name, encoded(text)), '}')
}

// noteBody makes the body, of which t is the type, the detail of the entry where there is one. Members with the tag
// `secret:"value"` are masked, those with `secret:"members"` keep the names in them.
func (c *call) noteBody(body []byte, t reflect.Type) {
	if c.entry == nil || len(body) == 0 || body[0] != '{' { // the handler will refuse what is no object
		return
	}
	detail := []byte{'{'}
	for name, value := range members(body) {
		field, _ := fieldNamed(t, name)
		detail = appendMember(detail, name, noted(value, field.Tag.Get("secret")))
	}
	c.entry.Detail = append(detail, '}')
}

// noted is a member's value as the entry has it.
func noted(value []byte, secret string) []byte {
	switch {
	case isNull(value) || secret == "":
	case secret == "members" && value[0] == '{':
		value = maskedMembers(value)
	default:
		value = encoded(delivery.Mask)
	}
	if len(value) > maxNoted {
		return encoded(fmt.Sprintf("(%d bytes)", len(value)))
	}
	return value
}

func maskedMembers(object []byte) []byte {
	masked := []byte{'{'}
	for name := range members(object) {
		masked = appendMember(masked, name, encoded(delivery.Mask))
	}
	return append(masked, '}')
}

// appendMember appends a member to the object that dst begins.
func appendMember(dst []byte, name string, value []byte) []byte {
	if len(dst) > 1 {
		dst = append(dst, ',')
	}
	return append(append(append(dst, encoded(name)...), ':'), value...)
}

// encoded is text as JSON.
func encoded(text string) []byte {
	out, _ := json.Marshal(text) //nolint:errchkjson // every string has a JSON form
	return out
}
