package demo

import "time"

// The members of the API's answers that the demo uses; /openapi.json has all of them.

type list[T any] struct {
	Items []T `json:"items"`
}

type profile struct {
	Name string `json:"name"`
	Auth struct {
		SecurityKeyHeader string `json:"security_key_header"`
	} `json:"auth"`
	Signing struct {
		Scheme string `json:"scheme"`
		Header string `json:"header"`
	} `json:"signing"`
	Ordering struct {
		Kind string `json:"kind"`
	} `json:"ordering"`
	Verification struct {
		Kind   string `json:"kind"`
		Member string `json:"member"`
	} `json:"verification"`
}

type application struct {
	ID string `json:"id"`
}

type subscription struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Secret string `json:"secret"`
}

type accepted struct {
	ID          string    `json:"id"`
	CreatedAt   time.Time `json:"created_at"`
	Invocations []struct {
		ID             string `json:"id"`
		SubscriptionID string `json:"subscription_id"`
	} `json:"invocations"`
}

// tested is the answer to "send a test".
type tested struct {
	InvocationID string `json:"invocation_id"`
}

// invocation is one event fired at one subscription.
type invocation struct {
	ID            string     `json:"id"`
	Status        string     `json:"status"`
	Attempts      int        `json:"attempts"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	LastError     *fault     `json:"last_error"`
	Reason        string     `json:"reason"`
	TemporalURL   string     `json:"temporal_url"`
}

// settled reports whether no attempt will follow by itself.
func (i invocation) settled() bool {
	switch i.Status {
	case "succeeded", "failed", "cancelled", "abandoned":
		return true
	default:
		return false
	}
}

// attempt is one entry of an invocation's log.
type attempt struct {
	Number     int       `json:"number"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	Outcome    string    `json:"outcome"`
	StatusCode *int      `json:"status_code"`
	Error      *fault    `json:"error"`
}

type fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}
