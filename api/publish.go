package api

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/internal/ingest"
	"github.com/posthorn/posthorn/models"
)

// maxBatch bounds the events of one batch (contract.md section 6).
const maxBatch = 500

// publication is an event as a publisher sends it.
type publication struct {
	Type           typeName `json:"type"`
	Payload        raw      `json:"payload,omitempty" doc:"Any JSON value of at most 1 MiB, nested at most 128 deep. It reaches receivers byte for byte."`
	Versions       raw      `json:"versions,omitempty" doc:"One payload per version, instead of payload; not available yet."`
	OccurredAt     string   `json:"occurred_at,omitempty" format:"date-time" doc:"When it happened; its text is kept. Default: now."`
	EntityID       *string  `json:"entity_id,omitempty" maxLength:"128" doc:"What it is about."`
	Sequence       *int64   `json:"sequence,omitempty" doc:"Orders the events of one entity. Default: the order of acceptance."`
	IdempotencyKey *string  `json:"idempotency_key,omitempty" minLength:"1" maxLength:"256" doc:"Makes a repeat harmless. The header Idempotency-Key does the same."`
	NotBefore      string   `json:"not_before,omitempty" format:"date-time" doc:"Delays the first attempt."`
}

// batch is several events; each is looked at by itself.
type batch struct {
	Events batchEvents `json:"events"`
}

type batchEvents []raw

// Schema documents the events.
func (batchEvents) Schema(r huma.Registry) *huma.Schema {
	least, most := 1, maxBatch
	return &huma.Schema{
		Type: huma.TypeArray, Items: r.Schema(reflect.TypeFor[publication](), true, ""), MinItems: &least, MaxItems: &most,
	}
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

// BatchResults are the answers to the events of a batch, in their order.
type BatchResults struct {
	Results []BatchResult `json:"results"`
}

// BatchResult is the answer to one event of a batch.
type BatchResult struct {
	Index       int         `json:"index"`
	ID          *string     `json:"id" format:"uuid" doc:"null when it was refused."`
	Sequence    *int64      `json:"sequence"`
	Duplicate   bool        `json:"duplicate"`
	Invocations []FiredAt   `json:"invocations"`
	Error       *BatchError `json:"error" doc:"Why it was refused; null when it was accepted."`
}

// BatchError says why one event of a batch was refused.
type BatchError struct {
	Code   models.Code    `json:"code"`
	Status int            `json:"status" doc:"The status that the event would have got by itself."`
	Detail string         `json:"detail"`
	Errors []ProblemField `json:"errors"`
}

// Schema documents it as an object or null, which Huma has no words for.
func (BatchError) Schema(r huma.Registry) *huma.Schema {
	return orNull(&huma.Schema{
		Type: huma.TypeObject, Required: []string{"code", "status", "detail", "errors"}, AdditionalProperties: false,
		Properties: map[string]*huma.Schema{
			"code": {Type: huma.TypeString}, "detail": {Type: huma.TypeString},
			"status": {Type: huma.TypeInteger, Description: "The status that the event would have got by itself."},
			"errors": {Type: huma.TypeArray, Items: r.Schema(reflect.TypeFor[ProblemField](), true, "")},
		},
	})
}

func (s *server) publish(ctx context.Context, c *call, in *publication) (Accepted, error) {
	p, err := in.publication()
	if err != nil {
		return Accepted{}, err
	}
	if err := takeKeyFromHeader(c, &p); err != nil {
		return Accepted{}, err
	}
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
	case p.Versions != nil:
		f.Add("versions", "payloads by version are not supported by this profile")
	case p.Payload == nil:
		f.Add("payload", "is required")
	}
	out := ingest.Publication{
		Type: string(p.Type), Payload: p.Payload, OccurredAt: p.OccurredAt, EntityID: p.EntityID, Sequence: p.Sequence,
		NotBefore: p.NotBefore,
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

func (s *server) publishBatch(ctx context.Context, c *call, in *batch) (BatchResults, error) {
	if n := len(in.Events); n == 0 || n > maxBatch {
		return BatchResults{}, models.Invalid("events", "must list 1 to %d events", maxBatch)
	}
	if c.request.Header.Get("Idempotency-Key") != "" {
		return BatchResults{}, models.Invalid("idempotency_key", "give each event of a batch its own, not the header")
	}
	results := make([]BatchResult, len(in.Events))
	var publications []ingest.Publication
	var places []int
	for i, text := range in.Events {
		results[i] = BatchResult{Index: i, Invocations: []FiredAt{}}
		p, err := decodePublication(text)
		if err != nil {
			results[i].refuse(err)
			continue
		}
		publications, places = append(publications, p), append(places, i)
	}
	if len(publications) == 0 {
		return BatchResults{Results: results}, nil
	}
	accepted, err := s.Ingest.Accept(ctx, c.application, publications)
	if err != nil {
		return BatchResults{}, ours(err)
	}
	for i, a := range accepted {
		results[places[i]].fill(a)
	}
	return BatchResults{Results: results}, nil
}

func decodePublication(text []byte) (ingest.Publication, error) {
	var in publication
	if err := decodeObject(text, &in); err != nil {
		return ingest.Publication{}, err
	}
	return in.publication()
}

func (r *BatchResult) fill(a *models.Acceptance) {
	if a.Err != nil {
		r.refuse(a.Err)
		return
	}
	sequence := a.Event.Sequence()
	r.ID, r.Sequence, r.Duplicate, r.Invocations = &a.Event.ID, &sequence, a.Duplicate, firedAt(a)
}

// refuse tells a client what it would hear of the event alone, with the places of the batch.
func (r *BatchResult) refuse(err error) {
	e, ok := errors.AsType[*models.Error](err)
	if !ok {
		e = models.Errorf(models.CodeInternal, "something went wrong here")
	}
	r.Error = &BatchError{Code: e.Code, Status: statusOf(e.Code), Detail: e.Message, Errors: fieldsOf(e)}
	for i := range r.Error.Errors {
		r.Error.Errors[i].Location = join(element("events", r.Index), r.Error.Errors[i].Location)
	}
}

func firedAt(a *models.Acceptance) []FiredAt {
	list := make([]FiredAt, len(a.Invocations))
	for i, invocation := range a.Invocations {
		list[i] = FiredAt{ID: invocation.ID, SubscriptionID: invocation.SubscriptionID}
	}
	return list
}

func element(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }
