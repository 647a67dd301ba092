package api

import (
	"context"
	"strconv"

	"github.com/posthorn/posthorn/internal/delivery"
	"github.com/posthorn/posthorn/models"
)

// Attempt is one request to a receiver: a log entry.
type Attempt struct {
	ID         string                `json:"id" format:"uuid"`
	Number     int                   `json:"number" doc:"From 1."`
	Trigger    models.Trigger        `json:"trigger" enum:"scheduled,redeliver,test"`
	StartedAt  string                `json:"started_at" format:"date-time"`
	FinishedAt string                `json:"finished_at" format:"date-time"`
	DurationMS int64                 `json:"duration_ms"`
	URL        string                `json:"url"`
	Outcome    models.AttemptOutcome `json:"outcome" enum:"succeeded,failed"`
	StatusCode *int                  `json:"status_code" doc:"null when no answer came."`
	Error      *AttemptError         `json:"error"`
	Request    AttemptRequest        `json:"request"`
	Response   AttemptResponse       `json:"response"`
}

// AttemptRequest is what was sent.
type AttemptRequest struct {
	Headers map[string]string `json:"headers" doc:"Secrets and credentials are masked."`
	Body    *string           `json:"body" doc:"As it was sent; null when it cannot be told any more."`
}

// AttemptResponse is what came back.
type AttemptResponse struct {
	Headers   map[string]string `json:"headers"`
	Body      string            `json:"body" doc:"64 KiB at most."`
	Truncated bool              `json:"truncated" doc:"There was more."`
}

// logPaging is Paging for logs, which nobody wants in parts if they need not.
type logPaging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"500" doc:"How many entries at most."`
	Cursor string `query:"cursor" doc:"next_cursor of the part before."`
}

const (
	// maxLogBytes bounds the request bodies of one answer: each entry shows its own, of 1 MiB and more.
	maxLogBytes = 32 << 20
	// maxKept is how much of a receiver's answer is kept, in bytes.
	maxKept = 64 << 10
)

// listAttempts shows an invocation's log, oldest first.
func (s *server) listAttempts(ctx context.Context, c *call, in *logPaging) (Page[Attempt], error) {
	after, err := s.position(c, in.Cursor)
	if err != nil {
		return Page[Attempt]{}, err
	}
	facts, err := s.facts(ctx, c.invocation)
	if err != nil {
		return Page[Attempt]{}, err
	}
	limit, each := in.Limit, maxKept
	if facts != nil {
		limit = min(limit, max(1, maxLogBytes/max(1, len(facts.Payload))))
		each += len(facts.Payload)
	}
	if err := s.hold(ctx, c, min(limit, c.invocation.Attempts)*each); err != nil {
		return Page[Attempt]{}, err
	}
	number, _ := strconv.Atoi(after) // ours, or "" for the start
	rows, err := s.Store.AttemptsAfter(ctx, c.invocation.ID, number, limit+1)
	if err != nil {
		return Page[Attempt]{}, err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.Itoa(rows[limit-1].Number)
	}
	views := mapped(rows, func(a *models.Attempt) Attempt { return attemptView(a, facts) })
	return newPage(s, c, views, next), s.hold(ctx, c, sizeOf(views, bodySize))
}

// bodySize is how many bytes of bodies an entry shows.
func bodySize(a *Attempt) int {
	size := len(a.Response.Body)
	if a.Request.Body != nil {
		size += len(*a.Request.Body)
	}
	return size
}

// facts is what the bodies of an invocation's attempts are made of again; nil when a part of it is gone: the
// application with what envelopes call the tenant.
func (s *server) facts(ctx context.Context, v *models.InvocationView) (*delivery.Facts, error) {
	facts, err := s.gatherFacts(ctx, v)
	if models.ErrorCode(err) == models.CodeNotFound {
		return nil, nil //nolint:nilnil // the log is shown without the bodies
	}
	return facts, err
}

func (s *server) gatherFacts(ctx context.Context, v *models.InvocationView) (*delivery.Facts, error) {
	app, err := s.Store.Application(ctx, v.ApplicationID)
	if err != nil {
		return nil, err
	}
	spec, err := s.Store.Spec(ctx, v.SpecDigest)
	if err != nil {
		return nil, err
	}
	facts := &delivery.Facts{Spec: spec, Tenant: app.ExternalID}
	if v.Version != nil {
		facts.Version = *v.Version
	}
	if v.IsTest() {
		facts.Payload, facts.Wire = []byte(spec.TestEvent.Payload), spec.TestEvent.Type
		facts.AcceptedAt, facts.EventID, facts.Test = v.CreatedAt, v.ID, true
		return facts, nil
	}
	e, err := s.Store.EventFor(ctx, *v.EventID, v.Version)
	if err != nil {
		return nil, err
	}
	facts.Payload, facts.Wire, facts.OccurredAt = e.Payload, e.Wire, e.OccurredAt
	facts.AcceptedAt, facts.EventID, facts.Tenant = e.CreatedAt, e.ID, e.Tenant
	return facts, nil
}

func attemptView(a *models.Attempt, facts *delivery.Facts) Attempt {
	return Attempt{
		ID: a.ID, Number: a.Number, Trigger: a.Trigger, StartedAt: timeText(a.StartedAt),
		FinishedAt: timeText(a.FinishedAt), DurationMS: a.FinishedAt.Sub(a.StartedAt).Milliseconds(), URL: a.URL,
		Outcome: a.Outcome, StatusCode: a.StatusCode, Error: attemptError(a.ErrorCode, a.ErrorMessage),
		Request: AttemptRequest{Headers: headerObject(a.RequestHeaders), Body: bodyOf(a, facts)},
		Response: AttemptResponse{
			Headers: headerObject(a.ResponseHeaders), Body: string(a.ResponseBody), Truncated: a.ResponseTruncated,
		},
	}
}

// bodyOf renders an attempt's body again; null when it cannot be, as for one that was never sent for that reason.
func bodyOf(a *models.Attempt, facts *delivery.Facts) *string {
	if facts == nil {
		return nil
	}
	f := *facts
	f.RetryCount = a.RetryCount
	body, err := delivery.Body(f)
	if err != nil {
		return nil
	}
	text := string(body)
	return &text
}

// headerObject shows headers by name; one that came several times has its values joined (RFC 9110 5.3).
func headerObject(headers []models.Header) map[string]string {
	object := make(map[string]string, len(headers))
	for _, h := range headers {
		if known, ok := object[h.Name]; ok {
			object[h.Name] = known + ", " + h.Value
			continue
		}
		object[h.Name] = h.Value
	}
	return object
}
