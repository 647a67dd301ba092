package ingest

import "github.com/posthorn/posthorn/models"

// CheckAvailable refuses the knobs of a spec that profiles can describe and nothing carries out yet: what is accepted
// must be kept.
func CheckAvailable(spec *models.Spec) error {
	var f models.Faults
	if spec.Traceparent {
		f.Add("traceparent", "is not available yet")
	}
	return f.Err()
}
