package posthorn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Encode is the event as the body of a request, its payloads byte for byte. It fails where a payload is not JSON.
func Encode(event Publication) (string, error) {
	members := []member{}
	if event.Payload != nil {
		members = append(members, member{"payload", event.Payload})
	}
	if event.Versions != nil {
		list, err := encodeVersions(*event.Versions)
		if err != nil {
			return "", err
		}
		members = append(members, member{"versions", list})
	}
	event.Payload, event.Versions = nil, nil
	return splice(event, members...)
}

func encodeVersions(versions []VersionPayload) ([]byte, error) {
	texts := make([]string, len(versions))
	for i, v := range versions {
		text, err := splice(struct {
			Version string `json:"version"`
		}{v.Version}, member{"payload", v.Payload})
		if err != nil {
			return nil, fmt.Errorf("versions[%d]: %w", i, err)
		}
		texts[i] = text
	}
	return []byte("[" + strings.Join(texts, ",") + "]"), nil
}

// member is one of an object's, its value JSON text.
type member struct {
	name  string
	value []byte
}

// splice is the object, which has a member at least, with further members behind its own, their bytes as they are.
func splice(object any, more ...member) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		return "", err
	}
	text := bytes.TrimSuffix(bytes.TrimSpace(out.Bytes()), []byte("}"))
	for _, m := range more {
		if !json.Valid(m.value) {
			return "", errors.New(m.name + " is not JSON")
		}
		text = slices.Concat(text, []byte(`,"`+m.name+`":`), m.value)
	}
	return string(text) + "}", nil
}
