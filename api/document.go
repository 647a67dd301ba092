package api

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Document is the OpenAPI 3.1 document that a server of the version answers at /openapi.json, indented and ended by a
// newline, without a server. The clients in clients/ are generated from it.
func Document(version string) ([]byte, error) {
	s := &server{Dependencies: Dependencies{Version: version}} // knows its routes, and could serve none
	if err := s.setUp(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, s.spec, "", "  "); err != nil {
		return nil, fmt.Errorf("openapi document: %w", err)
	}
	return append(bytes.TrimSpace(out.Bytes()), '\n'), nil
}
