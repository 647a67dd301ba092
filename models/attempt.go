package models

import "time"

// Trigger says why an attempt was made.
type Trigger string

// The triggers of an attempt.
const (
	TriggerScheduled Trigger = "scheduled" // the policy
	TriggerRedeliver Trigger = "redeliver" // somebody asked
	TriggerTest      Trigger = "test"      // "send a test"
)

// AttemptOutcome is whether the receiver took it.
type AttemptOutcome string

// The outcomes of an attempt.
const (
	AttemptSucceeded AttemptOutcome = "succeeded"
	AttemptFailed    AttemptOutcome = "failed"
)

// AttemptErrorCode classifies a failed attempt without telling what is inside our network.
type AttemptErrorCode string

// The error codes of an attempt, as its log entry shows them.
const (
	AttemptTimeout     AttemptErrorCode = "timeout"
	AttemptDNS         AttemptErrorCode = "dns"
	AttemptConnect     AttemptErrorCode = "connect"
	AttemptTLS         AttemptErrorCode = "tls"
	AttemptBlockedURL  AttemptErrorCode = "blocked_url"
	AttemptStatus      AttemptErrorCode = "status"      // an answer that the success rule does not take
	AttemptResponse    AttemptErrorCode = "response"    // no valid HTTP answer
	AttemptInterrupted AttemptErrorCode = "interrupted" // our process ended while it was in flight
)

// AttemptErrorCodes lists every code.
func AttemptErrorCodes() []AttemptErrorCode {
	return []AttemptErrorCode{
		AttemptTimeout, AttemptDNS, AttemptConnect, AttemptTLS, AttemptBlockedURL, AttemptStatus, AttemptResponse,
		AttemptInterrupted,
	}
}

// AttemptError says why an attempt failed.
type AttemptError struct {
	Code    AttemptErrorCode
	Message string
}

// Attempt is one request to a receiver: a log entry.
type Attempt struct {
	ID             string
	InvocationID   string
	SubscriptionID string
	// Number counts from 1 within the invocation.
	Number  int
	Trigger Trigger
	// RedeliveryID names the command behind TriggerRedeliver.
	RedeliveryID   *string
	StartedAt      time.Time `gorm:"serializer:micros"`
	FinishedAt     time.Time `gorm:"serializer:micros"`
	URL            string
	Outcome        AttemptOutcome
	StatusCode     *int
	ErrorCode      *AttemptErrorCode
	ErrorMessage   *string
	RequestHeaders []Header `gorm:"serializer:json"`
	// RetryCount is what the envelope's retry_count showed; with the Spec it makes the body again, byte for byte.
	RetryCount        int
	ResponseHeaders   []Header `gorm:"serializer:json"`
	ResponseBody      []byte
	ResponseTruncated bool
}
