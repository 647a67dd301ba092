//go:build fault

package fault_test

import "time"

// scaled bounds an outage of `make fault`.
const scaled = time.Minute

// stormWindow is how many events of an application may be on their way: enough to keep every process busy, few enough to
// drain at once.
const stormWindow = 600

// The size of the two storms: how many events at least, and how many kills. Of the embedded mode each kill takes all
// there is, so it gets further with fewer.
const (
	stormEvents, stormKillsCluster          = 80_000, 150
	stormEventsEmbedded, stormKillsEmbedded = 22_000, 50
)

// recoveries is how often each process is killed to measure how soon all is well again, recovering which are.
const recoveries = 3

func recovering() []string { return []string{"embedded", "api", "worker", "temporal", "postgres"} }

// sqliteKills is how often a process that writes to SQLite is killed.
const sqliteKills = 200
