package profiles

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// maxFileBytes bounds a profile file.
const maxFileBytes = 1 << 20

// parseYAML reads a file of one YAML document. Aliases are refused: they would let a small file grow without bound,
// and no line number could be told for what they stand for.
func parseYAML(data []byte) (*node, error) {
	if len(data) > maxFileBytes {
		return nil, errors.New("the file is over 1 MiB")
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the file is empty")
		}
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file must hold one YAML document")
	}
	return fromYAML(document.Content[0], 0)
}

func fromYAML(y *yaml.Node, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, at(y, "%s", errTooDeep)
	}
	switch {
	case y.Kind == yaml.AliasNode || y.Anchor != "":
		return nil, at(y, "anchors and aliases are not supported")
	case y.Kind == yaml.MappingNode:
		return mappingNode(y, depth)
	case y.Kind == yaml.SequenceNode:
		n := &node{kind: kindList, line: y.Line}
		for _, child := range y.Content {
			item, err := fromYAML(child, depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
		return n, nil
	default:
		return scalarNode(y)
	}
}

func mappingNode(y *yaml.Node, depth int) (*node, error) {
	n := &node{kind: kindObject, line: y.Line}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			return nil, at(key, "a key must be a word")
		}
		value, err := fromYAML(y.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		n.members = append(n.members, member{key: key.Value, line: key.Line, value: value})
	}
	return n, nil
}

func scalarNode(y *yaml.Node) (*node, error) {
	n := &node{line: y.Line}
	switch y.ShortTag() {
	case "!!null":
		n.kind, n.text = kindNull, "null"
	case "!!bool":
		var value bool
		if err := y.Decode(&value); err != nil {
			return nil, at(y, "is not true or false")
		}
		n.kind, n.text = kindBool, boolNode(value).text
	case "!!int", "!!float":
		// Only what JSON writes the same way: 0x10, 1_000 and .inf would need a second notation.
		if !json.Valid([]byte(y.Value)) {
			return nil, at(y, "%q must be a decimal number, or in quotes", y.Value)
		}
		n.kind, n.text = kindNumber, y.Value
	case "!!str", "!!timestamp": // a version such as 2021-11-18 is text
		n.kind, n.text = kindString, y.Value
	default:
		return nil, at(y, "the tag %s is not supported", y.Tag)
	}
	return n, nil
}

func at(y *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", y.Line, fmt.Sprintf(format, args...))
}
