package models

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// Acceptance is one event to be accepted with the invocations it leads to, and what came of it.
type Acceptance struct {
	Event       *Event
	Invocations []*Invocation
	// Specs are those the invocations name.
	Specs []StoredSpec
	// Duplicate tells that Event and Invocations are those of the first publication.
	Duplicate bool
	// Err is why this event was refused; nil = accepted.
	Err error
}

// StoredSpec is a Spec as it is stored: its canonical JSON under its SHA-256.
type StoredSpec struct {
	Digest []byte
	Body   []byte
}

// Store makes the stored form; equal Specs give equal digests.
func (s *Spec) Store() (StoredSpec, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return StoredSpec{}, fmt.Errorf("encode spec: %w", err)
	}
	digest := sha256.Sum256(body)
	return StoredSpec{Digest: digest[:], Body: body}, nil
}

// Spec reads the stored form.
func (s StoredSpec) Spec() (*Spec, error) {
	var spec Spec
	if err := json.Unmarshal(s.Body, &spec); err != nil {
		return nil, fmt.Errorf("decode spec %x: %w", s.Digest, err)
	}
	return &spec, nil
}
