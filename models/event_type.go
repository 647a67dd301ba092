package models

// EventType is one entry of a profile's catalogue.
type EventType struct {
	Name string `json:"name" yaml:"name"`
	// Wire is how the type is written on the wire: a string or an integer, as JSON text.
	Wire        string   `json:"-" yaml:"-"`
	Group       string   `json:"group" yaml:"group,omitempty"`
	Description string   `json:"description" yaml:"description"`
	Deprecated  bool     `json:"deprecated" yaml:"deprecated,omitempty"`
	Versions    []string `json:"versions" yaml:"versions,omitempty"`
	// Schema is JSON Schema 2020-12 as JSON text; "" = any payload.
	Schema string `json:"-" yaml:"-"`
}
