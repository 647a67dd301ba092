// Package fault holds tests that run Posthorn as real processes, end or cut them at the worst moment, and then check
// that nothing was lost: docs/reliability.md says what is promised and which test proves it.
//
// Without a build tag a short set runs, with outages of seconds; with the tag fault (`make fault`) all of it.
// POSTHORN_FAULT_SEED repeats a run's choices, POSTHORN_FAULT_FULL=1 gives outages their full lengths, and
// POSTHORN_FAULT_OUTAGE=5s bounds them. POSTHORN_FAULT_STORM_EVENTS and POSTHORN_FAULT_STORM_KILLS size the storms.
package fault
