// Package show makes bodies readable for people: JSON is indented, within bounds. A legal payload of 1 MiB that is nested
// 127 deep would grow to 135 MB, and a stranger's may be nested deeper.
package show

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

const (
	// MaxBytes is how much of a body is shown, and the longest that is indented, in bytes.
	MaxBytes = 64 << 10
	// maxIndented bounds what an indented body becomes, in bytes: one that would be longer is shown as it is.
	maxIndented = 256 << 10
	// step is one level of indentation.
	step = "  "
)

// Body is the text to show of a body, and how many bytes of the body are not in it: 0 = none. JSON of at most MaxBytes
// is indented; what is none, or would be too long, stays as it is; of what is longer than MaxBytes only the beginning is
// shown.
func Body(body []byte) (text string, left int) {
	if len(body) > MaxBytes {
		shown := beginning(body)
		return string(shown), len(body) - len(shown)
	}
	if indentedSize(body) > maxIndented {
		return string(body), 0
	}
	var out bytes.Buffer
	if json.Indent(&out, body, "", step) != nil {
		return string(body), 0
	}
	return out.String(), 0
}

// beginning is as much of a body as is shown, without half a character at its end.
func beginning(body []byte) []byte {
	for end := MaxBytes; end > MaxBytes-utf8.UTFMax; end-- {
		if utf8.RuneStart(body[end]) {
			return body[:end]
		}
	}
	return body[:MaxBytes] // no text
}

// indentedSize is what json.Indent writes of a body, or a little more, in bytes. It stops counting past maxIndented.
func indentedSize(body []byte) int {
	size, depth, inString, escaped := len(body), 0, false, false
	for _, c := range body {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		default:
			depth = max(0, depth+deeper(c))
			size += added(c, depth)
		}
		if size > maxIndented {
			break
		}
	}
	return size
}

// deeper is by how much a byte outside of strings changes the nesting.
func deeper(c byte) int {
	switch c {
	case '{', '[':
		return 1
	case '}', ']':
		return -1
	default:
		return 0
	}
}

// added is how many bytes indenting puts beside a byte outside of strings, at the depth behind it.
func added(c byte, depth int) int {
	switch c {
	case '{', '[', '}', ']', ',':
		return 1 + len(step)*depth
	case ':':
		return 1
	default:
		return 0
	}
}
