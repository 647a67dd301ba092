package demo

import "slices"

// compareOrders looks at the endpoints with a queue where nothing is open: their requests came in the order of
// acceptance, each event's in a row.
func (s *show) compareOrders() {
	for _, tenant := range s.tenants {
		for _, t := range tenant.targets {
			if len(t.accepted) == 0 || s.waitsForTarget(t) {
				continue
			}
			arrivals := s.receiver.takeArrivals(t.path)
			if t.inOrder {
				s.totals.compareOrder(t.accepted, arrivals)
			}
			t.accepted = nil
		}
	}
}

func (t *totals) compareOrder(accepted, arrivals []string) {
	t.queued += len(accepted)
	if slices.Equal(accepted, arrivals) {
		t.ordered += len(accepted)
	}
}

func (s *show) waitsForTarget(t *target) bool {
	for _, d := range s.open {
		if d.target == t {
			return true
		}
	}
	return false
}
