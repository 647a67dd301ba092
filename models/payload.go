package models

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Bounds of a payload: its bytes, and how deep its arrays and objects are nested.
const (
	MaxPayloadBytes   = 1 << 20
	MaxPayloadNesting = 128
)

// CheckPayload reports whether raw is one JSON value that may be accepted and delivered byte for byte: not empty, at
// most 1 MiB, UTF-8, nested at most 128 deep. Duplicate keys, `\u0000`, lone surrogate escapes and numbers of any
// size are legal. Every fault but the size is CodeMalformed.
func CheckPayload(raw []byte) error {
	switch {
	case len(raw) > MaxPayloadBytes:
		return Errorf(CodePayloadTooLarge, "the payload is over 1 MiB")
	case len(bytes.TrimSpace(raw)) == 0:
		return Errorf(CodeMalformed, "the payload is empty")
	case !utf8.Valid(raw):
		return Errorf(CodeMalformed, "the payload is not valid UTF-8")
	case bytes.IndexByte(raw, 0) >= 0:
		return Errorf(CodeMalformed, "the payload contains a raw NUL byte")
	case nesting(raw) > MaxPayloadNesting:
		return Errorf(CodeMalformed, "the payload is nested more than %d deep", MaxPayloadNesting)
	case !json.Valid(raw):
		return Errorf(CodeMalformed, "the payload is not valid JSON")
	default:
		return nil
	}
}

// nesting is the depth of arrays and objects in raw, which need not be valid JSON.
func nesting(raw []byte) int {
	depth, deepest := 0, 0
	inString, escaped := false, false
	for _, b := range raw {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped = b == '\\'
			inString = b != '"'
		case b == '"':
			inString = true
		case b == '{' || b == '[':
			depth++
			deepest = max(deepest, depth)
		case b == '}' || b == ']':
			depth--
		}
	}
	return deepest
}
