//go:build !fault

package fault_test

import "time"

// scaled bounds an outage of the short set.
const scaled = 4 * time.Second

// The size of a storm: how many events at least, and how many kills.
const stormEvents, stormKillsCluster = 300, 3

// stormWindow is how many events of an application may be on their way.
const stormWindow = 100

// recoveries is how often each process is killed to measure how soon all is well again, recovering which are.
const recoveries = 1

func recovering() []string { return []string{"worker", "postgres"} }

// sqliteKills is how often a process that writes to SQLite is killed.
const sqliteKills = 15
