package api

import (
	"context"
	"errors"

	"github.com/posthorn/posthorn/internal/ingest"
	"github.com/posthorn/posthorn/models"
)

// publication is an event as a publisher sends it.
type publication struct {
	Type           typeName          `json:"type"`
	Payload        raw               `json:"payload,omitempty" doc:"Any JSON value of at most 1 MiB, nested at most 128 deep. It reaches receivers byte for byte."`
	Versions       *[]VersionPayload `json:"versions,omitempty" maxItems:"20" doc:"Instead of payload: one for each version, where the profile has versions. A subscription gets the one that it pinned; where that is not among them its invocation ends cancelled, with the reason version_missing."`
	OccurredAt     string            `json:"occurred_at,omitempty" format:"date-time" doc:"When it happened; its text is kept. Default: now."`
	EntityID       *string           `json:"entity_id,omitempty" maxLength:"128" doc:"What it is about."`
	Sequence       *int64            `json:"sequence,omitempty" doc:"Orders the events of one entity. Default: the order of acceptance."`
	IdempotencyKey *string           `json:"idempotency_key,omitempty" minLength:"1" maxLength:"256" doc:"Makes a repeat harmless. The header Idempotency-Key does the same."`
	NotBefore      string            `json:"not_before,omitempty" format:"date-time" doc:"Delays the first attempt."`
}

// VersionPayload is the payload for the subscriptions that pinned one version.
type VersionPayload struct {
	Version string `json:"version" minLength:"1" maxLength:"64" doc:"One of the event type's versions."`
	Payload raw    `json:"payload" doc:"Any JSON value, as payload is."`
}

// Accepted is the answer to an event that was accepted: it is committed, nothing less.
type Accepted struct {
	ID          string    `json:"id" format:"uuid"`
	Sequence    int64     `json:"sequence"`
	CreatedAt   string    `json:"created_at" format:"date-time"`
	Duplicate   bool      `json:"duplicate" doc:"The idempotency key was known: this is the first event."`
	Invocations []FiredAt `json:"invocations"`
}

// FiredAt is one of the subscriptions that an event goes to.
type FiredAt struct {
	ID             string `json:"id" format:"uuid"`
	SubscriptionID string `json:"subscription_id" format:"uuid"`
}

func (s *server) publish(ctx context.Context, c *call, in *publication) (Accepted, error) {
	p, err := in.publication()
	if err != nil {
		return Accepted{}, err
	}
	if err := takeKeyFromHeader(c, &p); err != nil {
		return Accepted{}, err
	}
	p.Traceparent = c.traceparent
	accepted, err := s.Ingest.Accept(ctx, c.application, []ingest.Publication{p})
	if err != nil {
		return Accepted{}, ours(err) // what is wrong with the event is in its Acceptance
	}
	if len(accepted) != 1 {
		return Accepted{}, errors.New("ingest answered for another number of events")
	}
	a := accepted[0]
	if a.Err != nil {
		return Accepted{}, a.Err
	}
	return Accepted{
		ID: a.Event.ID, Sequence: a.Event.Sequence(), CreatedAt: timeText(a.Event.CreatedAt), Duplicate: a.Duplicate,
		Invocations: firedAt(a),
	}, nil
}

// publication checks what belongs to the request's form; ingest checks what it says.
func (p *publication) publication() (ingest.Publication, error) {
	var f models.Faults
	switch {
	case p.Versions != nil && p.Payload != nil:
		f.Add("versions", "is given beside payload; give one of them")
	case p.Versions != nil && len(*p.Versions) == 0:
		f.Add("versions", "must list 1 to %d versions", models.MaxEventVersions)
	case p.Versions == nil && p.Payload == nil:
		f.Add("payload", "is required")
	}
	out := ingest.Publication{
		Type: string(p.Type), Payload: p.Payload, OccurredAt: p.OccurredAt, EntityID: p.EntityID, Sequence: p.Sequence,
		NotBefore: p.NotBefore,
	}
	if p.Versions != nil {
		for _, v := range *p.Versions {
			out.Versions = append(out.Versions, models.EventVersion{Version: v.Version, Payload: v.Payload})
		}
	}
	if p.IdempotencyKey != nil {
		out.IdempotencyKey = *p.IdempotencyKey
	}
	return out, f.Err()
}

// takeKeyFromHeader honours Idempotency-Key.
func takeKeyFromHeader(c *call, p *ingest.Publication) error {
	given := c.request.Header.Values("Idempotency-Key")
	switch {
	case len(given) == 0 || len(given) == 1 && given[0] == "":
		return nil
	case len(given) > 1 || p.IdempotencyKey != "" && p.IdempotencyKey != given[0]:
		return models.Invalid("idempotency_key", "is given twice, and not the same")
	case !cleanText(given[0]):
		return models.Invalid("idempotency_key", "must be UTF-8")
	}
	p.IdempotencyKey = given[0]
	return nil
}

func firedAt(a *models.Acceptance) []FiredAt {
	list := make([]FiredAt, len(a.Invocations))
	for i, invocation := range a.Invocations {
		list[i] = FiredAt{ID: invocation.ID, SubscriptionID: invocation.SubscriptionID}
	}
	return list
}
