package models

import "time"

// Queues is the state of all FIFO queues together, and of what else waits.
type Queues struct {
	// Depth is how many invocations wait behind a head.
	Depth int
	// HeadAge is how long ago the oldest head was accepted; 0 = there is none.
	HeadAge time.Duration
	// Undispatched is how many invocations are due to be handed to Temporal, UndispatchedAge since when the oldest is.
	Undispatched    int
	UndispatchedAge time.Duration
	// Open is how many invocations are pending or retrying, UndeliveredAge how long ago the oldest event of those was
	// accepted; 0 = there is none. What is delayed or paused does not age.
	Open           int
	UndeliveredAge time.Duration
}
