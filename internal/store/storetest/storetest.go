// Package storetest is the store's conformance suite: one set of cases that every database has to pass.
//
// The cases know the Store's exported methods only, and look into tables by SQL where a promise is about what is
// stored. Each group of cases has a database of its own; so has each case of the groups that look at the whole
// database (dispatching, reconciling, outages). The clock stands still unless a case moves it.
package storetest

import (
	"testing"
	"time"

	"github.com/posthorn/posthorn/internal/store"
)

// opener opens a Store on a fresh, empty database that goes with the test; see Run.
type opener func(t *testing.T, now func() time.Time) *store.Store

// Run runs the suite. open must give a Store on a fresh and empty database, without a schema, and close it when the
// test that it was called with ends.
func Run(t *testing.T, open func(t *testing.T, now func() time.Time) *store.Store) {
	t.Helper()
	groups := []struct {
		name  string
		cases func(t *testing.T, open opener)
	}{
		{"accept", accept},
		{"idempotency", idempotency},
		{"sequence", sequence},
		{"events", events},
		{"invocations", invocations},
		{"dispatch", dispatches},
		{"gate", gate},
		{"gate of an interrupted attempt", interrupted},
		{"gate of a paused subscription", paused},
		{"gate of a deleted subscription", deleted},
		{"gate of a limited subscription", limited},
		{"gate under contention", contended},
		{"settle", settle},
		{"settle a lost or overtaken claim", overtaken},
		{"settle a gone subscription", gone},
		{"settle health", health},
		{"redelivery", redelivery},
		{"redelivery's outcome", redelivered},
		{"cancel", cancel},
		{"commands", commands},
		{"reconcile", reconcile},
		{"adopt namespace", namespace},
		{"subscriptions", subscriptions},
		{"subscription limit", limit},
		{"secrets", secrets},
		{"applications", applications},
		{"keys", keys},
		{"settings and event types", settings},
		{"outage", outage},
		{"notify", notify},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			g.cases(t, open)
		})
	}
}
