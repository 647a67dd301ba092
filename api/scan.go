package api

import (
	"encoding/json"
	"iter"
	"strings"
	"unicode/utf8"
)

// members yields the members of a valid JSON object, in its order, duplicates included. A value is byte for byte what
// the client sent.
func members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for i := skipSpace(object, 1); object[i] != '}'; {
			end := skipString(object, i)
			name, _ := unquote(object[i:end])
			i = skipSpace(object, skipSpace(object, end)+1) // behind the colon
			end = skipValue(object, i)
			if !yield(name, object[i:end]) {
				return
			}
			i = skipComma(object, end)
		}
	}
}

// elements splits a valid JSON array; false when it has more than most elements.
func elements(array []byte, most int) (found [][]byte, ok bool) {
	for i := skipSpace(array, 1); array[i] != ']'; {
		if len(found) == most {
			return nil, false
		}
		end := skipValue(array, i)
		found = append(found, array[i:end])
		i = skipComma(array, end)
	}
	return found, true
}

// skipValue returns where the value that starts at i ends.
func skipValue(text []byte, i int) int {
	switch text[i] {
	case '"':
		return skipString(text, i)
	case '{', '[':
		return skipGroup(text, i)
	}
	for i < len(text) && !isSpace(text[i]) && text[i] != ',' && text[i] != '}' && text[i] != ']' {
		i++
	}
	return i
}

func skipGroup(text []byte, i int) int {
	depth := 0
	for {
		switch text[i] {
		case '"':
			i = skipString(text, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}

func skipString(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipComma returns the start of what follows in the list or object, or its closing bracket.
func skipComma(text []byte, i int) int {
	i = skipSpace(text, i)
	if text[i] == ',' {
		i = skipSpace(text, i+1)
	}
	return i
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && isSpace(text[i]) {
		i++
	}
	return i
}

// isSpace is RFC 8259's white space.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func trimSpace(text []byte) []byte {
	start, end := skipSpace(text, 0), len(text)
	for end > start && isSpace(text[end-1]) {
		end--
	}
	return text[start:end]
}

func unquote(text []byte) (string, bool) {
	var s string
	if len(text) == 0 || text[0] != '"' || json.Unmarshal(text, &s) != nil {
		return "", false
	}
	return s, true
}

func isNull(text []byte) bool { return string(text) == "null" }

// cleanText reports whether every database takes s as text.
func cleanText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
