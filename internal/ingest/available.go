package ingest

import "github.com/posthorn/posthorn/models"

// CheckAvailable refuses the knobs of a spec that profiles can describe and nothing carries out yet: what is accepted
// must be kept. They go from here as they come: docs/architecture.md, "Order".
func CheckAvailable(spec *models.Spec) error {
	var f models.Faults
	if kind := spec.Ordering.Kind; kind == models.OrderingFIFO || kind == models.OrderingLatestWins {
		f.Add("ordering", "%s is not available yet", kind)
	}
	if spec.Traceparent {
		f.Add("traceparent", "is not available yet")
	}
	return f.Err()
}
