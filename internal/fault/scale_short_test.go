//go:build !fault

package fault_test

import "time"

// scaled bounds an outage of the short set.
const scaled = 4 * time.Second

// The size of a storm on each of its two deployments: how many events at least, and how many kills.
const stormEvents, stormKillsCluster, stormKillsEmbedded = 600, 3, 2

// recoveries is how often each process is killed to measure how soon all is well again.
const recoveries = 1

// sqliteKills is how often a process that writes to SQLite is killed.
const sqliteKills = 15
