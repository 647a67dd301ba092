package api

import (
	"context"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/models"
)

// Invocation is one event fired at one subscription, as answers show it.
type Invocation struct {
	ID             string                  `json:"id" format:"uuid"`
	ApplicationID  string                  `json:"application_id" format:"uuid"`
	SubscriptionID string                  `json:"subscription_id" format:"uuid"`
	EventID        *string                 `json:"event_id" format:"uuid" doc:"null for a test."`
	EventType      string                  `json:"event_type"`
	EntityID       *string                 `json:"entity_id"`
	Version        *string                 `json:"version" doc:"What its subscription had pinned when it was made; null where the profile has no versions."`
	Status         models.InvocationStatus `json:"status" enum:"pending,queued,retrying,paused,succeeded,failed,cancelled,abandoned"`
	Attempts       int                     `json:"attempts" doc:"How many entries the log has."`
	NextAttemptAt  *string                 `json:"next_attempt_at" format:"date-time" doc:"null while nothing is scheduled."`
	LastAttemptAt  *string                 `json:"last_attempt_at" format:"date-time"`
	DeliveredAt    *string                 `json:"delivered_at" format:"date-time"`
	LastStatusCode *int                    `json:"last_status_code"`
	LastError      *AttemptError           `json:"last_error"`
	URL            string                  `json:"url" doc:"Where the last attempt went; before the first, where it will go."`
	AbandonedBy    *string                 `json:"abandoned_by" doc:"The invocation that was delivered first."`
	Reason         *string                 `json:"reason" doc:"Why it ended without being delivered or used up."`
	Position       *int64                  `json:"position" doc:"Its place in a FIFO queue."`
	WorkflowID     *string                 `json:"workflow_id"`
	TemporalURL    *string                 `json:"temporal_url" doc:"Its workflow in the Temporal web UI."`
	CreatedAt      string                  `json:"created_at" format:"date-time"`
	UpdatedAt      string                  `json:"updated_at" format:"date-time"`
	Payload        Verbatim                `json:"payload,omitempty" doc:"As published, for its version, byte for byte; in lists with include=payload only. null where the event has none for its version."`
}

func (i Invocation) appendJSON(dst []byte) ([]byte, error) {
	type plain Invocation
	payload := i.Payload
	i.Payload = nil
	dst, err := appendJSON(dst, plain(i))
	if err != nil {
		return nil, err
	}
	return splice(dst, "payload", payload), nil
}

// AttemptError says why an attempt failed.
type AttemptError struct {
	Code    models.AttemptErrorCode `json:"code"`
	Message string                  `json:"message"`
}

// Schema documents it as an object or null, which Huma has no words for.
func (AttemptError) Schema(huma.Registry) *huma.Schema {
	codes := []any{"timeout", "dns", "connect", "tls", "blocked_url", "status", "response", "interrupted"}
	return orNull(&huma.Schema{
		Type: huma.TypeObject, Required: []string{"code", "message"}, AdditionalProperties: false,
		Properties: map[string]*huma.Schema{
			"code": {Type: huma.TypeString, Enum: codes}, "message": {Type: huma.TypeString},
		},
	})
}

func orNull(object *huma.Schema) *huma.Schema {
	nullable := *object
	nullable.Nullable = true
	return &nullable
}

func attemptError(code *models.AttemptErrorCode, message *string) *AttemptError {
	if code == nil {
		return nil
	}
	e := &AttemptError{Code: *code}
	if message != nil {
		e.Message = *message
	}
	return e
}

func (s *server) invocationView(v *models.InvocationView) Invocation {
	view := Invocation{
		ID: v.ID, ApplicationID: v.ApplicationID, SubscriptionID: v.SubscriptionID, EventID: v.EventID,
		EventType: v.EventType, EntityID: v.EntityID, Version: v.Version, Status: v.Shown(), Attempts: v.Attempts,
		LastAttemptAt: timeOrNull(v.LastAttemptAt), DeliveredAt: timeOrNull(v.DeliveredAt),
		LastStatusCode: v.LastStatusCode, LastError: attemptError(v.LastErrorCode, v.LastErrorMessage), URL: v.URL,
		AbandonedBy: v.AbandonedBy, Reason: v.Reason, Position: v.Position, WorkflowID: textOrNull(v.WorkflowID),
		TemporalURL: s.temporalURL(v.WorkflowID), CreatedAt: timeText(v.CreatedAt), UpdatedAt: timeText(v.UpdatedAt),
	}
	if view.Status == models.StatusPending || view.Status == models.StatusRetrying {
		view.NextAttemptAt = timeOrNull(v.NextAttemptAt) // a queued or paused one waits for something else
	}
	return view
}

func (s *server) temporalURL(workflowID string) *string {
	if s.TemporalUIURL == "" || workflowID == "" {
		return nil
	}
	link := strings.TrimSuffix(s.TemporalUIURL, "/") + "/namespaces/" + url.PathEscape(s.TemporalNamespace) +
		"/workflows/" + url.PathEscape(workflowID)
	return &link
}

type invocationsQuery struct {
	Paging
	SubscriptionID string `query:"subscription_id" format:"uuid"`
	EventID        string `query:"event_id" format:"uuid"`
	EventType      string `query:"event_type" maxLength:"128" doc:"A name or wire value."`
	EntityID       string `query:"entity_id" maxLength:"128"`
	Status         string `query:"status" enum:"pending,queued,retrying,paused,succeeded,failed,cancelled,abandoned"`
	Window
	Include string `query:"include" enum:"payload" doc:"payload: with the payloads; limit is then 50 at most."`
}

func (s *server) listInvocations(ctx context.Context, c *call, in *invocationsQuery) (Page[Invocation], error) {
	if err := in.check(); err != nil {
		return Page[Invocation]{}, err
	}
	withPayload, err := checkInclude(in.Paging, in.Include)
	if err != nil {
		return Page[Invocation]{}, err
	}
	f := models.InvocationFilter{
		ApplicationID: c.application.ID, SubscriptionID: in.SubscriptionID, EventID: in.EventID, EntityID: in.EntityID,
		Status: models.InvocationStatus(in.Status), After: in.After, Before: in.Before,
	}
	if f.EventType, err = s.filterType(ctx, c, in.EventType); err != nil {
		return Page[Invocation]{}, err
	}
	part, err := s.page(c, in.Paging)
	if err != nil {
		return Page[Invocation]{}, err
	}
	rows, next, err := s.Store.Invocations(ctx, f, part)
	if err != nil {
		return Page[Invocation]{}, err
	}
	views := mapped(rows, s.invocationView)
	if withPayload {
		err = s.addPayloads(ctx, c, rows, views)
	}
	return newPage(s, c, views, next), err
}

// check refuses what Huma takes for a UUID and Postgres does not: urn:uuid:…, {…}, upper case.
func (in *invocationsQuery) check() error {
	var f models.Faults
	if in.SubscriptionID != "" && !models.IsID(in.SubscriptionID) {
		f.Add("subscription_id", "must be the id of a subscription")
	}
	if in.EventID != "" && !models.IsID(in.EventID) {
		f.Add("event_id", "must be the id of an event")
	}
	return f.Err()
}

// filterType is resolveType that knows the profile's test as well, which no catalogue lists.
func (s *server) filterType(ctx context.Context, c *call, given string) (string, error) {
	name, err := s.resolveType(ctx, c, "event_type", given)
	if err == nil {
		return name, nil
	}
	p, failed := s.profileOf(ctx, c.application)
	if failed == nil && testType(p) == given {
		return given, nil
	}
	return "", err
}

// addPayloads reads each event once: neighbours in a list mostly share theirs.
func (s *server) addPayloads(ctx context.Context, c *call, rows []models.InvocationView, views []Invocation) error {
	if err := s.hold(ctx, c, len(rows)*models.MaxPayloadBytes); err != nil {
		return err
	}
	known := map[string]Verbatim{}
	for i := range rows {
		id := ""
		if rows[i].EventID != nil {
			id = *rows[i].EventID
		}
		if id != "" && rows[i].Version != nil {
			id += "/" + *rows[i].Version
		}
		payload, ok := known[id]
		if !ok || id == "" {
			var err error
			if payload, err = s.payload(ctx, &rows[i]); err != nil {
				return err
			}
			known[id] = payload
		}
		views[i].Payload = payload
	}
	return s.hold(ctx, c, sizeOf(views, func(i *Invocation) int { return len(i.Payload) }))
}

// payload is the event's for its version; a test has its profile's instead.
func (s *server) payload(ctx context.Context, v *models.InvocationView) (Verbatim, error) {
	if v.IsTest() {
		spec, err := s.Store.Spec(ctx, v.SpecDigest)
		if err != nil {
			return nil, err
		}
		return Verbatim(spec.TestEvent.Payload), nil
	}
	e, err := s.Store.EventFor(ctx, *v.EventID, v.Version)
	if err != nil {
		return nil, err
	}
	return verbatim(orEmpty(e.Payload)), nil
}

func (s *server) getInvocation(ctx context.Context, c *call, _ *nothing) (Invocation, error) {
	view := s.invocationView(c.invocation)
	var err error
	if view.Payload, err = s.payload(ctx, c.invocation); err != nil {
		return Invocation{}, err
	}
	return view, s.hold(ctx, c, len(view.Payload))
}

type redelivery struct {
	Force bool `json:"force,omitempty" doc:"Redelivers an abandoned one too, though a newer event was delivered."`
}

func (s *server) redeliverInvocation(ctx context.Context, c *call, in *redelivery) (InvocationRef, error) {
	if _, err := s.Store.Redeliver(ctx, c.invocation.ID, in.Force); err != nil {
		return InvocationRef{}, err
	}
	s.Wake()
	return InvocationRef{InvocationID: c.invocation.ID}, nil
}

func (s *server) cancelInvocation(ctx context.Context, c *call, _ *nothing) (InvocationRef, error) {
	if err := s.Store.Cancel(ctx, c.invocation.ID); err != nil {
		return InvocationRef{}, err
	}
	s.Wake()
	return InvocationRef{InvocationID: c.invocation.ID}, nil
}
