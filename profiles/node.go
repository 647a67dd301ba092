package profiles

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// kind is a node's JSON type, as fault messages name it.
type kind string

const (
	kindObject kind = "an object"
	kindList   kind = "a list"
	kindString kind = "a string"
	kindNumber kind = "a number"
	kindBool   kind = "true or false"
	kindNull   kind = "null"
)

// node is a value as it was written, in JSON or in YAML: order, duplicates and the digits of numbers are kept.
type node struct {
	kind kind
	// text is a string's value, or a number, boolean or null as JSON writes it.
	text    string
	members []member
	items   []*node
	// line in the file, from 1; 0 = it came by the API.
	line int
}

type member struct {
	key   string
	line  int
	value *node
}

// maxDepth bounds the nesting of a profile; a JSON Schema is the deepest thing in one.
const maxDepth = 64

var errTooDeep = errors.New("nested too deep")

// parseJSON reads one JSON value.
func parseJSON(raw []byte) (*node, error) {
	if !json.Valid(raw) {
		return nil, errors.New("is not valid JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return readJSON(decoder, 0)
}

func readJSON(decoder *json.Decoder, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch value := token.(type) {
	case json.Delim:
		return readJSONGroup(decoder, value, depth)
	case string:
		return &node{kind: kindString, text: value}, nil
	case json.Number:
		return &node{kind: kindNumber, text: value.String()}, nil
	case bool:
		return boolNode(value), nil
	default:
		return &node{kind: kindNull, text: "null"}, nil
	}
}

func readJSONGroup(decoder *json.Decoder, opening json.Delim, depth int) (*node, error) {
	n := &node{kind: kindList}
	if opening == '{' {
		n.kind = kindObject
	}
	for decoder.More() {
		var key json.Token
		if n.kind == kindObject {
			key, _ = decoder.Token() // valid JSON: always a string
		}
		value, err := readJSON(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		if n.kind == kindList {
			n.items = append(n.items, value)
			continue
		}
		name, _ := key.(string)
		n.members = append(n.members, member{key: name, value: value})
	}
	if _, err := decoder.Token(); err != nil && !errors.Is(err, io.EOF) { // the closing bracket
		return nil, err
	}
	return n, nil
}

func boolNode(value bool) *node {
	if value {
		return &node{kind: kindBool, text: "true"}
	}
	return &node{kind: kindBool, text: "false"}
}

// json writes the node as compact JSON.
func (n *node) json() []byte {
	var out bytes.Buffer
	n.writeJSON(&out)
	return out.Bytes()
}

func (n *node) writeJSON(out *bytes.Buffer) {
	switch n.kind {
	case kindObject:
		out.WriteByte('{')
		for i, m := range n.members {
			separate(out, i)
			out.Write(quote(m.key))
			out.WriteByte(':')
			m.value.writeJSON(out)
		}
		out.WriteByte('}')
	case kindList:
		out.WriteByte('[')
		for i, item := range n.items {
			separate(out, i)
			item.writeJSON(out)
		}
		out.WriteByte(']')
	case kindString:
		out.Write(quote(n.text))
	case kindNumber, kindBool, kindNull:
		out.WriteString(n.text)
	}
}

func separate(out *bytes.Buffer, i int) {
	if i > 0 {
		out.WriteByte(',')
	}
}

// quote writes s as a JSON string.
func quote(s string) []byte {
	quoted, err := marshal(s)
	if err != nil { // a string always encodes
		return []byte(`""`)
	}
	return quoted
}
