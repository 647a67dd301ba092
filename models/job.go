package models

import "time"

// JobState is how far a job has come.
type JobState string

// The states of a job.
const (
	JobPending   JobState = "pending"   // accepted, nothing sent yet
	JobRunning   JobState = "running"   // being carried out
	JobPaused    JobState = "paused"    // until somebody resumes or cancels it
	JobCompleted JobState = "completed" // carried out to the end, or a dry run
	JobCancelled JobState = "cancelled" // ended by somebody; the rest is not sent
)

// Ended reports whether nothing follows any more.
func (s JobState) Ended() bool { return s == JobCompleted || s == JobCancelled }

// RedeliveryOutcome is what became of one redelivery of a job.
type RedeliveryOutcome string

// The outcomes of a redelivery, as a job's results show them.
const (
	RedeliverySucceeded RedeliveryOutcome = "succeeded"
	RedeliveryFailed    RedeliveryOutcome = "failed"    // the receiver did not take it
	RedeliveryRefused   RedeliveryOutcome = "refused"   // not sent: a redelivery by itself would be a conflict
	RedeliveryNotFound  RedeliveryOutcome = "not_found" // no such invocation in the application; never stored
)

// Bounds of a job.
const (
	// MaxJobIDs is how many ids a job may list.
	MaxJobIDs = 1000
	// MaxJobRate and DefaultJobRate are redeliveries per second; the least is 1.
	MaxJobRate     = 1000
	DefaultJobRate = 50
	// MaxJobInFlight is how many redeliveries of one job wait for answers at most: hanging receivers slow a job down.
	MaxJobInFlight = 500
)

// Job is a bulk redelivery: either of the invocations that IDs lists, or of those that match Filter.
type Job struct {
	ID            string
	ApplicationID string
	State         JobState
	// IDs are what was asked for, each once; nil with a Filter. What is no invocation of the application is not found.
	IDs []string `gorm:"serializer:json"`
	// Filter is nil with IDs. It is looked at when an invocation's turn comes.
	Filter *InvocationFilter `gorm:"serializer:json"`
	// Rate is how many redeliveries it starts per second.
	Rate int
	// DryRun counts and sends nothing.
	DryRun bool
	// Matched is how many invocations there were when it was accepted; of a completed job, how many it was for.
	Matched int
	// Reached is the last invocation of a filter that was taken up, in the order of ids; nil = none. Through is the last
	// that there was when the job was accepted; nil = there was none.
	Reached, Through *string
	// PacedAt is up to when the rate has been used; nil before the first redelivery.
	PacedAt *time.Time `gorm:"serializer:micros"`
	// DispatchAfter is when the dispatcher tells the job's workflow of a change; nil = it knows.
	DispatchAfter *time.Time `gorm:"serializer:micros"`
	StartedAt     *time.Time `gorm:"serializer:micros"`
	FinishedAt    *time.Time `gorm:"serializer:micros"`
	CreatedAt     time.Time  `gorm:"serializer:micros;autoCreateTime:false"`
	// UpdatedAt also tells that somebody works on it.
	UpdatedAt time.Time `gorm:"serializer:micros;autoUpdateTime:false"`
}

// JobView is a job with its progress.
type JobView struct {
	Job
	// Succeeded and Failed count the redeliveries that have ended; Failed those refused too.
	Succeeded, Failed int
	// Results are in the order of IDs, of those that have ended; nil with a Filter.
	Results []JobResult
}

// JobResult is what became of one of the ids that a job lists.
type JobResult struct {
	ID      string
	Outcome RedeliveryOutcome
}

// JobAction changes a job's course.
type JobAction string

// The actions on a job.
const (
	JobPause  JobAction = "pause"
	JobResume JobAction = "resume"
	JobCancel JobAction = "cancel"
)

// After is the state that an action leads to. Asking for what is so already changes nothing; a job that has ended
// takes no action: CodeConflict.
func (j *Job) After(action JobAction) (JobState, error) {
	switch {
	case j.State.Ended():
		return j.State, Errorf(CodeConflict, "the job has ended: %s", j.State)
	case action == JobCancel:
		return JobCancelled, nil
	case action == JobPause:
		return JobPaused, nil
	case j.StartedAt == nil:
		return JobPending, nil
	default:
		return JobRunning, nil
	}
}

// The pace of a job.
const (
	// JobTick is how often a running job asks what it may send.
	JobTick = 100 * time.Millisecond
	// jobBurst is how much of its rate a job makes up for that it could not use.
	jobBurst = 500 * time.Millisecond
)

// Credit is how many redeliveries the rate allows at the given time, by the generic cell rate algorithm (ITU-T I.371).
func (j *Job) Credit(now time.Time) int {
	return int(now.Sub(j.paced(now)) / j.interval())
}

// Spend notes that n redeliveries were started.
func (j *Job) Spend(now time.Time, n int) {
	if n == 0 {
		return
	}
	used := j.paced(now).Add(time.Duration(n) * j.interval())
	j.PacedAt = &used
}

func (j *Job) interval() time.Duration { return time.Second / time.Duration(j.Rate) }

func (j *Job) paced(now time.Time) time.Time {
	if j.PacedAt == nil {
		return now.Add(-max(JobTick, j.interval()))
	}
	if earliest := now.Add(-jobBurst - j.interval()); j.PacedAt.Before(earliest) {
		return earliest
	}
	return *j.PacedAt
}

// JobStep is what a running job may do now.
type JobStep struct {
	// State is the job's; unless it is JobRunning there is nothing to do.
	State JobState
	// Claims are the redeliveries to send now.
	Claims []*Claim
	// Idle is set when there are none though the rate allows some: all that is left waits for answers, or for limits.
	Idle bool
	// Blocked is set when more could be sent but for another attempt of a FIFO queue, or for a limit.
	Blocked bool
}

// JobDispatch is a job whose workflow has to be told of it.
type JobDispatch struct {
	ID            string
	ApplicationID string
	Matched       int
	// Lease is until when it is the taker's; it also tells this taking from a later one.
	Lease time.Time `gorm:"serializer:micros"`
}
