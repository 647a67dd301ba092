// Package storetest is the store's conformance suite: one set of cases that every database has to pass.
//
// The cases know the Store's exported methods only, and look into tables by SQL where a promise is about what is
// stored. The clock stands still unless a case moves it. The cases of one database run one after the other and share
// its clock; each makes applications and workers of its own, and those that look at the whole database quiet it first.
package storetest

import (
	"testing"
	"time"

	"github.com/posthorn/posthorn/internal/store"
)

// opener opens a Store on a fresh, empty database that goes with the test; see Run.
type opener func(t *testing.T, now func() time.Time) *store.Store

// group is the cases of one topic.
type group struct {
	name  string
	cases func(t *testing.T, w *world)
}

// each makes one group of a table of cases, which run one after the other.
func each(table []group) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		for _, g := range table {
			t.Run(g.name, func(t *testing.T) { g.cases(t, w) })
		}
	}
}

// Run runs the suite. open must give a Store on a fresh and empty database, without a schema, and close it when the
// test that it was called with ends.
func Run(t *testing.T, open func(t *testing.T, now func() time.Time) *store.Store) {
	t.Helper()
	for name, groups := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, open)
			each(groups)(t, w)
		})
	}
	t.Run("outage", func(t *testing.T) {
		t.Parallel()
		outage(t, open)
	})
	t.Run("notify", func(t *testing.T) {
		t.Parallel()
		notify(t, newWorld(t, open))
	})
}

// databases groups the cases by the database they share: as few as keep two cores busy, because making one takes
// longer than most cases.
func databases() map[string][]group {
	return map[string][]group{
		"accept": {
			{"events", accept},
			{"versions", versions},
			{"idempotency", idempotency},
			{"sequence", sequence},
		},
		"lists": {
			{"events", events},
			{"invocations", invocations},
			{"subscriptions", subscriptions},
			{"applications", applications},
			{"keys", keys},
			{"stats", stats},
			{"timeline", timelines},
			{"job lists", jobLists},
			{"audit", audit},
			{"audited methods", auditedMethods},
			{"audit log", auditList},
		},
		"dispatch": {
			{"invocations", dispatches},
			{"undispatched", undispatched},
			{"undelivered", undelivered},
			{"trace contexts", traceContexts},
			{"commands", commands},
			{"reconcile", reconcile},
			{"adopt namespace", namespace},
			{"event types", eventTypes},
			{"workers", workers},
		},
		"gate": {
			{"any", each(gateCases())},
			{"interrupted attempt", interrupted},
			{"paused subscription", paused},
			{"expired policy", expired},
			{"deleted subscription", deleted},
		},
		"limits": {
			{"in flight and per second", limited},
			{"the line behind a limit", each(lineCases())},
			{"a failing subscription", each(failingCases())},
			{"contention", contended},
			{"subscriptions", limit},
			{"secrets", secrets},
		},
		"settle": {
			{"attempt", settle},
			{"lost or overtaken", overtaken},
			{"gone subscription", gone},
			{"health", health},
			{"redelivery", redelivery},
			{"redelivery's outcome", redelivered},
			{"cancel", cancel},
		},
		"jobs": {
			{"accepted", jobs},
			{"claims", each(jobClaimCases())},
			{"pace and limits", jobPace},
			{"course", jobCourse},
			{"dispatch", jobDispatches},
		},
		"retention": {
			{"ended", retained},
			{"open", retainedOpen},
			{"the rest", retainedRest},
			{"order", retainedOrder},
		},
		"erasure": {
			{"entities", erasures},
			{"applications", erasedApplications},
		},
		"order": {
			{"a queue's places", queuePlaces},
			{"a queue's claims", queueClaims},
			{"a queue's next", queueRelease},
			{"a queue's end", queueEnds},
			{"a broken queue", queueHealed},
			{"all queues", queues},
			{"newest delivered", each(latestCases())},
			{"newest delivered by hand", latestByHand},
			{"newest delivered, at random", latestAtRandom},
			{"contention", orderContended},
		},
	}
}
